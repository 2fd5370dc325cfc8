`code` begins the line
`/metrics` too
