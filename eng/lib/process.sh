# shellcheck shell=bash
# Processes that a script started and may end later: known by pid, start time and boot, never by name,
# so that a number that the system has given to somebody else in the meantime is never signalled.

# Monotonic milliseconds.
now_ms() {
	local up
	read -r up _ < /proc/uptime
	up=${up/./}
	printf '%s0' "$up"
}

# wait_until SECONDS COMMAND...: repeats COMMAND until it succeeds; 1 when the deadline has passed.
wait_until() {
	local deadline=$(($(now_ms) + $1 * 1000))
	shift
	until "$@"; do
		(($(now_ms) < deadline)) || return 1
		sleep 0.02
	done
}

# process_identity PID: "PID STARTTIME BOOT", or 1 when there is no such process or it is a zombie.
process_identity() {
	local stat boot
	{ read -r stat < "/proc/$1/stat"; } 2> /dev/null || return 1
	read -r boot < /proc/sys/kernel/random/boot_id
	# The name in parentheses may hold anything; what follows its last ")" starts with field 3.
	local -a field
	read -r -a field <<< "${stat##*) }"
	[[ ${field[0]} != [ZX] ]] || return 1
	printf '%s %s %s' "$1" "${field[19]}" "$boot"
}

# process_record FILE PID: remembers a process; 1 when it is gone already.
process_record() {
	local identity
	identity=$(process_identity "$2") || return 1
	printf '%s\n' "$identity" > "$1"
}

# process_alive FILE: whether the recorded process still runs.
process_alive() {
	local recorded
	[[ -s $1 ]] && read -r recorded < "$1" && [[ $(process_identity "${recorded%% *}") == "$recorded" ]]
}

process_gone() { ! process_alive "$1"; }

# process_signal FILE SIGNAL: nothing when it is gone.
process_signal() {
	local pid
	process_alive "$1" || return 0
	read -r pid _ < "$1"
	kill -s "$2" "$pid" 2> /dev/null || true
}

# process_end FILE SECONDS: asks with TERM, insists with KILL when SECONDS have passed (0: KILL at once),
# and forgets it.
process_end() {
	if (($2 > 0)); then
		process_signal "$1" TERM
		wait_until "$2" process_gone "$1" || true
	fi
	process_signal "$1" KILL
	wait_until 10 process_gone "$1" || {
		echo "process $(< "$1") does not end" >&2
		return 1
	}
	rm -f "$1"
}
