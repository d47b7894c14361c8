-- Records that hosts declare as lost, in the last :days days (30).
\if :{?days}
\else
\set days 30
\endif
SELECT host, lost_sink AS sink, lost_cause AS cause, coalesce(sum(lost_count), 0) AS lost, max(time) AS last
FROM miguard.records
WHERE action = 'records-lost' AND time >= now() - make_interval(days => :days)
GROUP BY 1, 2, 3
ORDER BY lost DESC;
