# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_clockboundctl_global_optspecs
    string join \n directory= json color= h/help V/version
end

function __fish_clockboundctl_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_clockboundctl_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_clockboundctl_using_subcommand
    set -l cmd (__fish_clockboundctl_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c clockboundctl -n "__fish_clockboundctl_needs_command" -l directory -d 'Directory in which the daemon publishes' -r -F
complete -c clockboundctl -n "__fish_clockboundctl_needs_command" -l color -d 'When to use colors' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c clockboundctl -n "__fish_clockboundctl_needs_command" -l json -d 'Prints one JSON object, with fields that stay the same from version to version'
complete -c clockboundctl -n "__fish_clockboundctl_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c clockboundctl -n "__fish_clockboundctl_needs_command" -s V -l version -d 'Print version'
complete -c clockboundctl -n "__fish_clockboundctl_needs_command" -f -a "status" -d 'Shows status, reason and bound by component'
complete -c clockboundctl -n "__fish_clockboundctl_needs_command" -f -a "sources" -d 'Shows chronyd\'s sources, each with its own interval'
complete -c clockboundctl -n "__fish_clockboundctl_needs_command" -f -a "explain" -d 'Explains in sentences why the bound is as wide as it is, and what would make it narrower'
complete -c clockboundctl -n "__fish_clockboundctl_needs_command" -f -a "now" -d 'Prints the interval of true time at the present'
complete -c clockboundctl -n "__fish_clockboundctl_needs_command" -f -a "wait" -d 'Waits until the interval is trusted, and narrow enough'
complete -c clockboundctl -n "__fish_clockboundctl_needs_command" -f -a "check" -d 'Checks the interval once, with the exit codes of monitoring plugins'
complete -c clockboundctl -n "__fish_clockboundctl_needs_command" -f -a "watch" -d 'Shows the bound over time in the terminal'
complete -c clockboundctl -n "__fish_clockboundctl_needs_command" -f -a "record" -d 'Records interval and diagnostics to a CSV file'
complete -c clockboundctl -n "__fish_clockboundctl_needs_command" -f -a "report" -d 'Makes a report of a recording'
complete -c clockboundctl -n "__fish_clockboundctl_needs_command" -f -a "doctor" -d 'Looks for faults of this host\'s configuration'
complete -c clockboundctl -n "__fish_clockboundctl_needs_command" -f -a "simulate" -d 'Publishes segments by a script, for the tests of programs that read them'
complete -c clockboundctl -n "__fish_clockboundctl_needs_command" -f -a "drill" -d 'Makes a running daemon publish a disruption, or another reason'
complete -c clockboundctl -n "__fish_clockboundctl_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand status" -l directory -d 'Directory in which the daemon publishes' -r -F
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand status" -l color -d 'When to use colors' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand status" -l json -d 'Prints one JSON object, with fields that stay the same from version to version'
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand sources" -l directory -d 'Directory in which the daemon publishes' -r -F
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand sources" -l color -d 'When to use colors' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand sources" -l json -d 'Prints one JSON object, with fields that stay the same from version to version'
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand sources" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand explain" -l directory -d 'Directory in which the daemon publishes' -r -F
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand explain" -l color -d 'When to use colors' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand explain" -l json -d 'Prints one JSON object, with fields that stay the same from version to version'
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand explain" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand now" -s f -l format -d 'How the interval is written' -r -f -a "text\t'For people, with bound, status and reason'
json\t'One JSON object, as with --json'
ns\t'Earliest and latest in nanoseconds since 1970'
rfc3339\t'Earliest and latest in UTC'
sec\t'Earliest and latest in seconds since 1970, with nine decimals'"
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand now" -l directory -d 'Directory in which the daemon publishes' -r -F
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand now" -l color -d 'When to use colors' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand now" -l json -d 'Prints one JSON object, with fields that stay the same from version to version'
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand now" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand wait" -l max-bound -d 'Waits until the bound is not above this, with a unit' -r
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand wait" -l timeout -d 'Gives up after this time, with a unit [default: waits without limit]' -r
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand wait" -l directory -d 'Directory in which the daemon publishes' -r -F
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand wait" -l color -d 'When to use colors' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand wait" -s q -l quiet -d 'Prints nothing'
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand wait" -l allow-simulated -d 'Accepts a simulated interval, which is not that of the clock'
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand wait" -l json -d 'Prints one JSON object, with fields that stay the same from version to version'
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand wait" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand check" -l max-bound -d 'Critical above this bound, with a unit' -r
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand check" -l warn -d 'Warning above this bound, with a unit' -r
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand check" -l directory -d 'Directory in which the daemon publishes' -r -F
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand check" -l color -d 'When to use colors' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand check" -l perfdata -d 'Adds the bound after "|" as performance data of Nagios, which can make the line longer than 80 characters'
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand check" -l json -d 'Prints one JSON object, with fields that stay the same from version to version'
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand watch" -l interval -d 'Time between samples, at least 10ms' -r
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand watch" -l directory -d 'Directory in which the daemon publishes' -r -F
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand watch" -l color -d 'When to use colors' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand watch" -l json -d 'Prints one JSON object, with fields that stay the same from version to version'
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand watch" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand record" -l to -d 'CSV file to append to; a file of another version is renamed first' -r -F
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand record" -l interval -d 'Time between rows, at least 10ms' -r
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand record" -l max-size -d 'Size at which the file is renamed to FILE.1, in bytes or with the suffix K, M or G' -r
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand record" -l keep -d 'Number of renamed files to keep' -r
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand record" -l directory -d 'Directory in which the daemon publishes' -r -F
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand record" -l color -d 'When to use colors' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand record" -l json -d 'Prints one JSON object, with fields that stay the same from version to version'
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand record" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand report" -l html -d 'Writes a page that needs no other file, instead of text' -r -F
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand report" -l title -d 'Title of the page' -r
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand report" -l directory -d 'Directory in which the daemon publishes' -r -F
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand report" -l color -d 'When to use colors' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand report" -l json -d 'Prints one JSON object, with fields that stay the same from version to version'
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand report" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand doctor" -l root -d 'Examine the host whose root directory is here, such as a container\'s or an image\'s' -r -F
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand doctor" -l chrony-conf -d 'Path of chronyd\'s configuration on that host [default: that of the running chronyd]' -r -F
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand doctor" -l directory -d 'Directory in which the daemon publishes' -r -F
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand doctor" -l color -d 'When to use colors' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand doctor" -l json -d 'Prints one JSON object, with fields that stay the same from version to version'
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand doctor" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand simulate" -l to -d 'Directory in which the segments are published' -r -F
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand simulate" -l speed -d 'How much time of the script passes in the same real time, from 0.001 to 1000' -r
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand simulate" -l vmclock -d 'File of a VMClock page, created if it is missing: clients that are given it notice the disruptions of the script before the records show them' -r -F
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand simulate" -l directory -d 'Directory in which the daemon publishes' -r -F
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand simulate" -l color -d 'When to use colors' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand simulate" -l loop -d 'Plays the script again whenever it has ended'
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand simulate" -l hold -d 'Leaves the last records as they are at the end, as a daemon that is killed does'
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand simulate" -l allow-default-directory -d 'Permits to publish in the default directory of the daemon'
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand simulate" -l json -d 'Prints one JSON object, with fields that stay the same from version to version'
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand simulate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand drill" -l reason -d 'The reason to publish' -r -f -a "disrupted\t''
never_synchronized\t''
clock_stepped\t''
holdover_expired\t''
bound_over_cap\t''
chrony_silent\t''
report_refused\t''
leap_unsynchronized\t''
source_unreachable\t''
local_reference\t''
phc_unreadable\t''
too_few_sources\t''
permission_denied\t''
resumed\t''
contradiction\t''
sources_disagree\t''"
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand drill" -l for -d 'End the drill after this time, or when this program is interrupted; with a unit, such as 30s' -r
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand drill" -l pid -d 'The daemon\'s process id [default: the one in the diagnostics]' -r
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand drill" -l directory -d 'Directory in which the daemon publishes' -r -F
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand drill" -l color -d 'When to use colors' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand drill" -l off -d 'End the drill that is in progress'
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand drill" -l yes -d 'Begin the drill: programs that read the interval behave as in the real case'
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand drill" -l json -d 'Prints one JSON object, with fields that stay the same from version to version'
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand drill" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand help; and not __fish_seen_subcommand_from status sources explain now wait check watch record report doctor simulate drill help" -f -a "status" -d 'Shows status, reason and bound by component'
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand help; and not __fish_seen_subcommand_from status sources explain now wait check watch record report doctor simulate drill help" -f -a "sources" -d 'Shows chronyd\'s sources, each with its own interval'
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand help; and not __fish_seen_subcommand_from status sources explain now wait check watch record report doctor simulate drill help" -f -a "explain" -d 'Explains in sentences why the bound is as wide as it is, and what would make it narrower'
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand help; and not __fish_seen_subcommand_from status sources explain now wait check watch record report doctor simulate drill help" -f -a "now" -d 'Prints the interval of true time at the present'
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand help; and not __fish_seen_subcommand_from status sources explain now wait check watch record report doctor simulate drill help" -f -a "wait" -d 'Waits until the interval is trusted, and narrow enough'
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand help; and not __fish_seen_subcommand_from status sources explain now wait check watch record report doctor simulate drill help" -f -a "check" -d 'Checks the interval once, with the exit codes of monitoring plugins'
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand help; and not __fish_seen_subcommand_from status sources explain now wait check watch record report doctor simulate drill help" -f -a "watch" -d 'Shows the bound over time in the terminal'
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand help; and not __fish_seen_subcommand_from status sources explain now wait check watch record report doctor simulate drill help" -f -a "record" -d 'Records interval and diagnostics to a CSV file'
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand help; and not __fish_seen_subcommand_from status sources explain now wait check watch record report doctor simulate drill help" -f -a "report" -d 'Makes a report of a recording'
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand help; and not __fish_seen_subcommand_from status sources explain now wait check watch record report doctor simulate drill help" -f -a "doctor" -d 'Looks for faults of this host\'s configuration'
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand help; and not __fish_seen_subcommand_from status sources explain now wait check watch record report doctor simulate drill help" -f -a "simulate" -d 'Publishes segments by a script, for the tests of programs that read them'
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand help; and not __fish_seen_subcommand_from status sources explain now wait check watch record report doctor simulate drill help" -f -a "drill" -d 'Makes a running daemon publish a disruption, or another reason'
complete -c clockboundctl -n "__fish_clockboundctl_using_subcommand help; and not __fish_seen_subcommand_from status sources explain now wait check watch record report doctor simulate drill help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
