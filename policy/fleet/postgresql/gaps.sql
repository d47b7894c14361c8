-- Numbers that are missing between the records of each chain. What a key would show, and what is
-- missing at the end, only `miguard fleet verify` says.
SELECT host, chain, sequence + 1 AS first, next - 1 AS last, next - sequence - 1 AS missing
FROM (
    SELECT host, chain, sequence,
           lead(sequence) OVER (PARTITION BY chain ORDER BY sequence) AS next
    FROM miguard.records
    WHERE chain <> '') AS numbers
WHERE next > sequence + 1
ORDER BY host, chain, first;
