# shellcheck shell=bash
# shellcheck disable=SC2154
# Holds an upgrade against what can be asked elsewhere. fleet.sh is loaded.

mismatches=0
mismatch() {
	echo "  NOT TRUE: $*" >&2
	mismatches=$((mismatches + 1))
}

fact() { jq -r "$2" <<< "$1"; } # fact JSON FILTER

# verify_upgrade UPGRADE-JSON GUEST: 0 when the guest really runs the new kernel, owns the whole machine and
# answers, and when the rows in PostgreSQL say what the command line showed.
verify_upgrade() {
	local upgrade=$1 guest id before after wanted
	mismatches=0
	guest=$(guest_json "$2") || {
		mismatch "the coordinator does not know guest $2"
		return 1
	}
	id=$(fact "$upgrade" .id)
	before=$(fact "$upgrade" .bootIdBefore)
	after=$(fact "$upgrade" .bootIdAfter)
	wanted=$(jq -r .kernelRelease "$root/state/images/$(fact "$upgrade" .imageName)/manifest.json")

	[[ $(fact "$upgrade" .state) == Completed ]] || mismatch "the upgrade is $(fact "$upgrade" .state), not Completed"
	[[ $(fact "$upgrade" .kernelReleaseAfter) == "$wanted" ]] ||
		mismatch "the guest runs $(fact "$upgrade" .kernelReleaseAfter); the image has $wanted"
	[[ -n $after && $after != "$before" ]] || mismatch "the boot id has not changed: $before"
	[[ $(fact "$guest" .kernelRelease) == "$wanted" ]] ||
		mismatch "guests list shows kernel $(fact "$guest" .kernelRelease)"
	[[ $(fact "$guest" '.cpusOnline == .cpusPresent and .cpusPresent >= 2') == true ]] ||
		mismatch "the new kernel runs $(fact "$guest" .cpusOnline) of $(fact "$guest" .cpusPresent) CPUs"
	[[ $(fact "$upgrade" '.machineMemoryBytes == .machineMemoryOwnedAfter and .machineMemoryBytes != "0"') == true ]] ||
		mismatch "the new kernel owns $(fact "$upgrade" .machineMemoryOwnedAfter) of $(fact "$upgrade" .machineMemoryBytes) bytes"
	wait_until 10 answers_as "$(fact "$guest" .address)" "$after" ||
		mismatch "the guest's service at $(fact "$guest" .address) does not answer as boot $after"
	verify_rows "$upgrade" "$id"
	((mismatches == 0))
}

# Durations are written "1.234567s"; the rows hold nanoseconds.
duration_filter='def ns: if . == null then "" else rtrimstr("s") | split(".") |
	((.[0] + ((.[1] // "") + "000000000")[0:9]) | sub("^0+(?=.)"; "")) end;'

verify_rows() { # verify_rows UPGRADE-JSON ID
	local shown row
	shown=$(jq -r "$duration_filter"'[.state, .kernelReleaseAfter, .bootIdAfter, .machineMemoryOwnedAfter,
		(.outage.longestGap | ns), .outage.sent] | join("|")' <<< "$1")
	row=$(fleet_psql -c "select state, kernel_release_after, boot_id_after, machine_memory_owned_after,
		outage_longest_gap_ns, outage_sent from upgrades where id = '$2'")
	[[ $shown == "$row" ]] || mismatch "the table says $shown; the row in PostgreSQL says $row"

	shown=$(jq -r "$duration_filter"'.steps[] | [.step, .state, (.duration | ns)] | join("|")' <<< "$1" | LC_ALL=C sort)
	row=$(fleet_psql -c "select distinct on (step) step, state, duration_ns from upgrade_steps
		where upgrade_id = '$2' order by step, attempt desc" | LC_ALL=C sort)
	[[ -n $row && $shown == "$row" ]] ||
		mismatch "the steps differ; shown: ${shown//$'\n'/, }; in PostgreSQL: ${row//$'\n'/, }"
}
