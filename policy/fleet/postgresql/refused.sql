-- Who was refused on which hosts, and how often, in the last :days days (1).
\if :{?days}
\else
\set days 1
\endif
SELECT coalesce(user_name, user_id::text) AS "user", host, reason, provider,
       sum(coalesce(repeats, 1)) AS refusals, min(time) AS first, max(time) AS last
FROM miguard.records
WHERE decision = 'deny' AND time >= now() - make_interval(days => :days)
GROUP BY 1, 2, 3, 4
ORDER BY refusals DESC, 1, 2;
