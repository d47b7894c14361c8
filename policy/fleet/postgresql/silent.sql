-- Hosts of which nothing came for :hours hours (24).
\if :{?hours}
\else
\set hours 24
\endif
SELECT host, max(time) AS last, now() - max(time) AS silent
FROM miguard.records
GROUP BY host
HAVING max(time) < now() - make_interval(hours => :hours)
ORDER BY last;
