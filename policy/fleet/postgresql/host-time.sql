-- Refusals of each host in steps of :seconds seconds (3600), in the last :days days (1).
\if :{?days}
\else
\set days 1
\endif
\if :{?seconds}
\else
\set seconds 3600
\endif
SELECT host, to_timestamp(floor(extract(epoch FROM time) / :seconds) * :seconds) AS time,
       sum(coalesce(repeats, 1)) AS refusals
FROM miguard.records
WHERE decision = 'deny' AND time >= now() - make_interval(days => :days)
GROUP BY 1, 2
ORDER BY 1, 2;
