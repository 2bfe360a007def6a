# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154
# One upgrade of a guest that has just booted, and what it came to. For eng/soak and eng/bench-handover; fleet.sh and
# verify.sh are loaded.

# The newest upgrade as the coordinator tells it.
newest() { twinfleet upgrade show "$(fleet_psql -c 'select id from upgrades order by created_at desc limit 1')" --json; }

# attempt HOST GUEST IMAGE [OPTION...]: upgrades GUEST, which runs, to IMAGE, and says what it came to in $outcome (empty: well),
# $upgrade (as JSON), $outage_ns and $total_ms.
attempt() {
	local host=$1 guest=$2 image=$3
	shift 3
	outcome='' upgrade='' outage_ns='' total_ms=''
	twinfleet upgrade start --host "$host" --image "$image" --watch "$@" > "$fleet/logs/upgrade.log" 2>&1 || outcome=failed
	upgrade=$(newest) || {
		outcome="the coordinator does not answer"
		return
	}
	outage_ns=$(jq -r "$duration_filter .outage.longestGap | ns" <<< "$upgrade")
	total_ms=$(fleet_psql -c "select round(1000 * extract(epoch from finished_at - created_at)) from upgrades
		where id = '$(fact "$upgrade" .id)'")
	if [[ -n $outcome ]]; then
		outcome="$(fact "$upgrade" .state) at $(fact "$upgrade" .failedStep): $(fact "$upgrade" .failure): $(fact "$upgrade" .reason)"
	elif ! verify_upgrade "$upgrade" "$guest" 2> "$fleet/logs/mismatch.log"; then
		outcome=$(tr -s '\n' ' ' < "$fleet/logs/mismatch.log")
	fi
}

# keep_logs NAME: of the round that has ended, in a directory of their own
keep_logs() {
	mkdir -p "$fleet/logs/$1"
	find "$fleet/logs" -maxdepth 1 -type f \( -name 'guest-*' -o -name host-agent.log -o -name upgrade.log -o -name mismatch.log -o -name 'reads.*' -o -name 'writes.*' \) \
		-exec mv -t "$fleet/logs/$1" {} +
}

# fleet_prepare: builds, makes the images, and starts what all rounds share
fleet_prepare() {
	"$root/eng/build" services > "$fleet/logs/build.log" 2>&1 || {
		show_log build
		fail "the services do not build"
	}
	"$root/images/build" debian-6.1 debian-6.12
	fleet_servers
	fleet_coordinator
}
