-- Kinds of refusals of the last :days days (1) that no host had before: reason, provider, rule and
-- operation, with the host that had it first. One pass over all refusals: asking for each whether
-- there was one before, where a column may be null, takes the square of that.
\if :{?days}
\else
\set days 1
\endif
SELECT reason, provider, rule, operation, first, host, "user", event_id FROM (
    SELECT DISTINCT ON (reason, provider, rule, operation)
           reason, provider, rule, operation, time AS first, host, user_name AS "user", event_id
    FROM miguard.records
    WHERE decision = 'deny'
    ORDER BY reason, provider, rule, operation, time, host COLLATE "C", sequence) AS kinds
WHERE first >= now() - make_interval(days => :days)
ORDER BY reason, provider, rule, operation;
