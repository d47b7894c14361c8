-- Which policy is in force where: the last one that each host loaded or started with, by the hash of
-- its files. Records of a start without a hash are of versions that did not write one there.
SELECT coalesce(policy_hash, '(built-in)') AS policy, count(*) AS hosts, min(time) AS since,
       array_agg(host ORDER BY host COLLATE "C") AS names
FROM (
    SELECT DISTINCT ON (host) host, policy_hash, time
    FROM miguard.records
    WHERE action = 'policy-load' OR (action = 'audit-start' AND policy_hash IS NOT NULL)
    ORDER BY host, time DESC, sequence DESC) AS loaded
GROUP BY 1
ORDER BY hosts DESC, 1;
