complete -c clockbound -s m -l max-drift-rate -d 'How far the oscillator can move from its measured rate within the holdover, in parts per million; fractions are accepted. Without it 1 ppm is assumed, with a warning: 50 is right for plain crystals' -r
complete -c clockbound -l max-wander -d 'How fast the oscillator\'s rate can change, in parts per million a second: narrower intervals at long polling intervals. 0.02 is cautious in a machine room. Not for virtual machines that can be moved to another host: a change of rate in one step breaks the premise, and a breach smaller than the errors of the measurements raises no alarm' -r
complete -c clockbound -l falsetickers -d 'How many of chronyd\'s sources may lie, from 0 to 15. 0 trusts the source that chronyd follows and compares it with the others. N publishes what all but N reachable sources agree on, for which 2N + 1 have to be reachable; with like paths the interval is about a tenth wider than that of the best source' -r
complete -c clockbound -s r -l phc-ref-id -d 'chronyd\'s reference id of the PTP hardware clock, 1 to 4 characters, as in "refid" of its configuration' -r
complete -c clockbound -s i -l phc-interface -d 'The network interface that the PTP hardware clock is part of' -r
complete -c clockbound -l chrony-socket -d 'Where chronyd listens for commands' -r -F
complete -c clockbound -l shm-path -d 'Where to publish the v1 layout, or "off"' -r
complete -c clockbound -l shm0-path -d 'Where to publish the v2 layout, or "off"; "shm0" beside the v1 layout unless told' -r
complete -c clockbound -l native-path -d 'Where to publish the native layout, or "off"; "native" beside the v1 layout unless told' -r
complete -c clockbound -l poll-interval -d 'The time from one poll of chronyd to the next, with its unit, from 10ms to 2s' -r
complete -c clockbound -l chrony-grace -d 'How long chronyd may be silent before the clock is free running, with its unit, from 100ms to 1h' -r
complete -c clockbound -l holdover -d 'How long the held interval is published without a source, growing, before nothing is claimed any more; also the span within which the oscillator\'s rate is measured. With its unit, from 1s to 1day' -r
complete -c clockbound -l max-bound -d 'Claim nothing while the bound is wider than this, with its unit' -r
complete -c clockbound -l log-level -d 'The least important events to log: trace, debug, info, warn, error or critical' -r
complete -c clockbound -s j -l json-output -d 'Write logs as JSON, one object a line'
complete -c clockbound -l allow-local-reference -d 'Trust chronyd in its local mode, and with a root distance of zero: a clock without a reference'
complete -c clockbound -s h -l help -d 'Print help'
complete -c clockbound -s V -l version -d 'Print version'
