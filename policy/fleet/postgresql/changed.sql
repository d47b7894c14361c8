-- Numbers that stand for more than one record: one of them was changed on the way, or the host was
-- set back or copied.
SELECT min(host) AS host, chain, sequence, count(*) AS records, min(time) AS time
FROM miguard.records
WHERE chain <> ''
GROUP BY chain, sequence
HAVING count(*) > 1
ORDER BY 1, 2, 3;
