-- Kinds of refusals of the last :days days (1) that no host had before: reason, provider, rule and
-- operation, with the host that had it first. The groups are made in one pass over all refusals,
-- without sorting them, and only for those that are new is the first record looked up. Asking for
-- each refusal whether there was one before takes the square of that.
\if :{?days}
\else
\set days 1
\endif
SELECT DISTINCT ON (kinds.reason, kinds.provider, kinds.rule, kinds.operation)
       kinds.reason, kinds.provider, kinds.rule, kinds.operation, kinds.first, records.host,
       records.user_name AS "user", records.event_id
FROM (SELECT reason, provider, rule, operation, min(time) AS first
      FROM miguard.records
      WHERE decision = 'deny'
      GROUP BY 1, 2, 3, 4) AS kinds
JOIN miguard.records AS records
    ON records.time = kinds.first AND records.time >= now() - make_interval(days => :days)
    AND records.decision = 'deny'
    AND records.reason IS NOT DISTINCT FROM kinds.reason
    AND records.provider IS NOT DISTINCT FROM kinds.provider
    AND records.rule IS NOT DISTINCT FROM kinds.rule
    AND records.operation IS NOT DISTINCT FROM kinds.operation
WHERE kinds.first >= now() - make_interval(days => :days)
ORDER BY kinds.reason, kinds.provider, kinds.rule, kinds.operation, records.host COLLATE "C",
         records.sequence;
