module clockbound

go 1.19
