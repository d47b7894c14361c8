-- Which policy is in force where: the last one that each host loaded, by the hash of its files.
SELECT coalesce(policy_hash, '(built-in)') AS policy, count(*) AS hosts, min(time) AS since,
       array_agg(host ORDER BY host) AS names
FROM (
    SELECT DISTINCT ON (host) host, policy_hash, time
    FROM miguard.records
    WHERE action = 'policy-load'
    ORDER BY host, time DESC) AS loaded
GROUP BY 1
ORDER BY hosts DESC, 1;
