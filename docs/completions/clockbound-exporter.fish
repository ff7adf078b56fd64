complete -c clockbound-exporter -l directory -d 'Directory in which the daemon publishes' -r -F
complete -c clockbound-exporter -l listen -d 'Address and port to serve metrics on, or unix:PATH for a unix socket. A socket that systemd passes takes precedence' -r
complete -c clockbound-exporter -l socket-mode -d 'Mode of the unix socket, in octal' -r
complete -c clockbound-exporter -l textfile -d 'Writes the metrics once to this file, for the textfile collector of node_exporter, and exits. The name must end in .prom' -r -F
complete -c clockbound-exporter -l allow-remote -d 'Permits an address that is not a loopback address. The metrics are neither encrypted nor protected by a password, and contain the addresses of the time sources'
complete -c clockbound-exporter -s h -l help -d 'Print help'
complete -c clockbound-exporter -s V -l version -d 'Print version'
