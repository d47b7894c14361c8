-- When a user was first seen with a provider anywhere, newest first: the last :days days (1). As in
-- new-kinds.sql, the groups are made without sorting all records.
\if :{?days}
\else
\set days 1
\endif
SELECT * FROM (
    SELECT DISTINCT ON (seen.user_name, seen.provider)
           seen.user_name AS "user", seen.provider, seen.first, records.host, records.decision
    FROM (SELECT user_name, provider, min(time) AS first
          FROM miguard.records
          WHERE user_name IS NOT NULL AND provider IS NOT NULL
          GROUP BY 1, 2) AS seen
    JOIN miguard.records AS records
        ON records.time = seen.first AND records.time >= now() - make_interval(days => :days)
        AND records.user_name = seen.user_name AND records.provider = seen.provider
    WHERE seen.first >= now() - make_interval(days => :days)
    ORDER BY seen.user_name, seen.provider, records.host COLLATE "C", records.sequence) AS found
ORDER BY first DESC;
