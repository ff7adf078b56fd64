complete -c clockbound -s m -l max-drift-rate -d 'How far the oscillator can move from its measured rate within the holdover, in parts per million; fractions are accepted. Without this option 1 ppm is assumed and a warning is logged. Use 50 for crystals without compensation' -r
complete -c clockbound -l max-wander -d 'How fast the oscillator\'s rate can change, in parts per million per second. The option narrows the interval at long polling intervals. 0.02 is cautious in a machine room. Do not use it on virtual machines that can be moved to another host: a change of rate in one step breaks the premise, and a breach smaller than the errors of the measurements raises no alarm' -r
complete -c clockbound -l falsetickers -d 'How many of chronyd\'s sources may be wrong, from 0 to 15. With 0 the source that chronyd selects is trusted and compared with the others. With N the interval is the one that all but N reachable sources agree on, and at least 2N + 1 sources have to be reachable; on similar paths it is about a tenth wider than that of the best source' -r
complete -c clockbound -s r -l phc-ref-id -d 'chronyd\'s reference id of the PTP hardware clock, 1 to 4 characters, as given with "refid" in chrony.conf' -r
complete -c clockbound -s i -l phc-interface -d 'The network interface with the PTP hardware clock' -r
complete -c clockbound -l chrony-socket -d 'Path of chronyd\'s command socket' -r -F
complete -c clockbound -l shm-path -d 'Path of the segment of the v1 layout, or "off"' -r
complete -c clockbound -l shm0-path -d 'Path of the segment of the v2 layout, or "off" [default: "shm0" in the directory of v1]' -r
complete -c clockbound -l shm1-path -d 'Path of the segment of the v3 layout, or "off" [default: "shm1" in the directory of v1]; it is published only where the processor\'s counter is invariant and is the kernel\'s clocksource' -r
complete -c clockbound -l native-path -d 'Path of the segment of the native layout, or "off" [default: "native" in the directory of v1]' -r
complete -c clockbound -l diagnostics-path -d 'Path of the diagnostics, which clockboundctl and clockbound-exporter read, or "off" [default: "diagnostics" in the directory of v1]' -r
complete -c clockbound -l poll-interval -d 'Time between two polls of chronyd, with a unit, from 10ms to 2s' -r
complete -c clockbound -l chrony-grace -d 'How long chronyd may be silent or without a source before the clock is free running, with a unit, from 100ms to 1h' -r
complete -c clockbound -l holdover -d 'How long the last interval is held over without a source, growing, before the status becomes unknown; also the span within which the oscillator\'s rate is measured. With a unit, from 1s to 1day' -r
complete -c clockbound -l max-bound -d 'Report the status unknown while the bound is above this, with a unit, up to 1day' -r
complete -c clockbound -l vmclock -d 'Path of the VMClock device of a virtual machine, which reports disruptions of the clock' -r -F
complete -c clockbound -l log-level -d 'Least severe level to log: trace, debug, info, warn, error or critical' -r
complete -c clockbound -s j -l json-output -d 'Write logs as JSON, one object per line'
complete -c clockbound -l allow-local-reference -d 'Trust chronyd in its local mode and with a root distance of zero, which is a clock without a reference'
complete -c clockbound -s d -l disable-clock-disruption-support -d 'Run without support for clock disruptions: a virtual machine that is restored from a snapshot or moved to another host is not detected'
complete -c clockbound -l require-vmclock -d 'Do not run without a VMClock device'
complete -c clockbound -s h -l help -d 'Print help'
complete -c clockbound -s V -l version -d 'Print version'
