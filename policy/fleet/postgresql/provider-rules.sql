-- Refusals by provider and rule, in the last :days days (1).
\if :{?days}
\else
\set days 1
\endif
SELECT provider, rule, sum(coalesce(repeats, 1)) AS refusals
FROM miguard.records
WHERE decision = 'deny' AND time >= now() - make_interval(days => :days)
GROUP BY 1, 2
ORDER BY refusals DESC, 1, 2;
