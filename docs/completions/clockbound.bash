_clockbound() {
    local i cur prev opts cmd
    COMPREPLY=()
    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
        cur="$2"
    else
        cur="${COMP_WORDS[COMP_CWORD]}"
    fi
    prev="$3"
    cmd=""
    opts=""

    for i in "${COMP_WORDS[@]:0:COMP_CWORD}"
    do
        case "${cmd},${i}" in
            ",$1")
                cmd="clockbound"
                ;;
            *)
                ;;
        esac
    done

    case "${cmd}" in
        clockbound)
            opts="-m -j -r -i -d -h -V --max-drift-rate --max-wander --falsetickers --json-output --phc-ref-id --phc-interface --chrony-socket --shm-path --shm0-path --shm1-path --native-path --diagnostics-path --poll-interval --chrony-grace --holdover --max-bound --allow-local-reference --disable-clock-disruption-support --vmclock --require-vmclock --log-level --help --version"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 1 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --max-drift-rate)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -m)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --max-wander)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --falsetickers)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --phc-ref-id)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -r)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --phc-interface)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -i)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --chrony-socket)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --shm-path)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --shm0-path)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --shm1-path)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --native-path)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --diagnostics-path)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --poll-interval)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --chrony-grace)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --holdover)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --max-bound)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --vmclock)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --log-level)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
    esac
}

if [[ "${BASH_VERSINFO[0]}" -eq 4 && "${BASH_VERSINFO[1]}" -ge 4 || "${BASH_VERSINFO[0]}" -gt 4 ]]; then
    complete -F _clockbound -o nosort -o bashdefault -o default clockbound
else
    complete -F _clockbound -o bashdefault -o default clockbound
fi
