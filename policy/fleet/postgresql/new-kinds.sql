-- Kinds of refusals of the last :days days (1) that no host had before: reason, provider, rule and
-- operation, with the host that had it first.
\if :{?days}
\else
\set days 1
\endif
SELECT DISTINCT ON (reason, provider, rule, operation)
       reason, provider, rule, operation, time AS first, host, user_name AS "user", event_id
FROM miguard.records AS new
WHERE decision = 'deny' AND time >= now() - make_interval(days => :days)
  AND NOT EXISTS (
      SELECT FROM miguard.records AS old
      WHERE old.decision = 'deny' AND old.time < now() - make_interval(days => :days)
        AND old.provider IS NOT DISTINCT FROM new.provider
        AND old.rule IS NOT DISTINCT FROM new.rule
        AND old.reason IS NOT DISTINCT FROM new.reason
        AND old.operation IS NOT DISTINCT FROM new.operation)
ORDER BY reason, provider, rule, operation, time, host COLLATE "C", sequence;
