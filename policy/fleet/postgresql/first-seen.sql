-- When a user was first seen with a provider anywhere, newest first: the last :days days (1).
\if :{?days}
\else
\set days 1
\endif
SELECT * FROM (
    SELECT DISTINCT ON (user_name, provider)
           user_name AS "user", provider, time AS first, host, decision
    FROM miguard.records
    WHERE user_name IS NOT NULL AND provider IS NOT NULL
    ORDER BY user_name, provider, time, host COLLATE "C", sequence) AS seen
WHERE first >= now() - make_interval(days => :days)
ORDER BY first DESC;
