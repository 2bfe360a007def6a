# The rounds of eng/bench-handover, all in one array, as one summary. Quartiles by linear interpolation between the
# closest ranks (Hyndman and Fan 1996, definition 7).
def quantile($p): map(select(. != null)) | sort as $v | (($v | length) - 1) * $p | . as $at | floor as $i |
	if $v == [] then null else $v[$i] + ($at - $i) * (($v[$i + 1] // $v[$i]) - $v[$i]) end;
def median: quantile(0.5);
def spread: { median: median, q1: quantile(0.25), q3: quantile(0.75) };
def ratio($of; $to): if $of == null or $to == null or $to == 0 then null else $of / $to end;
def well: map(select(.outcome == ""));

# What callers saw, in the order of an upgrade. A phase is a step: B's boot is the step Standby.
def phases: [["before", ["before"]], ["B boots", ["Standby"]], ["CPUs and cards move", ["Transfer"]], ["cut-over", ["CutOver"]],
	["probation", ["Probation"]], ["commit", ["Commit"]], ["after", ["after"]]][] | { name: .[0], steps: .[1] };
def callers($probe): . as $rounds | [phases as $phase | [$rounds[] | .[$probe].phases[]? | select(.name as $name | $phase.steps | index($name))] | {
	probe: $probe, phase: $phase.name, p50: (map(.latencyMs.p50) | median), p99: (map(.latencyMs.p99) | median),
	perSecond: (map(ratio(.answered; .lastedMs / 1000)) | median), gap: (map(.longestGapMs) | median),
	errors: (map([.errors[]] | add // 0) | add // 0), unanswered: (map(.unanswered) | add // 0) }];

. as $all | ($all | map(select(.strategy == "twin" and .outcome == ""))) as $twins | {
	machine: $all[0].machine,
	stolenPercent: { median: ($all | map(.stolenPercent) | median), most: ($all | map(.stolenPercent) | max) },
	services: [$all | group_by(.service)[] | . as $rounds | {
		service: .[0].service,
		strategies: [group_by([.strategy != "twin", .strategy, .cards])[] | well as $good | {
			strategy: .[0].strategy, cards: .[0].cards, rounds: length, failed: (length - ($good | length)),
			outageMs: ($good | map(.outageMs) | spread), cutOverMs: ($good | map([.reads.phases[]? | select(.name == "CutOver") | .longestGapMs] | max) | spread), totalMs: ($good | map(.totalMs) | spread),
			kexec: ratio($rounds | map(select(.strategy == "kexec")) | well | map(.outageMs) | median; $good | map(.outageMs) | median),
			reboot: ratio($rounds | map(select(.strategy == "reboot")) | well | map(.outageMs) | median; $good | map(.outageMs) | median) }] }],
	twins: [$twins | group_by([.service, .cards])[] | {
		service: .[0].service, cards: .[0].cards,
		cutOver: [[.[] | .upgrade.steps[] | select(.step == "CutOver" or .step == "Probation") | .timings[]? | select(.name | test("^(cutover|lead)"))] | group_by([.name, (.clock | startswith("guest:"))])[] |
			{ name: .[0].name, clock: (.[0].clock | sub(":.*"; "")), medianMs: (map(.nanoseconds | tonumber / 1e6) | median) }],
		boot: { p99Ratio: (map(ratio(first(.reads.phases[]? | select(.name == "Standby") | .latencyMs.p99); first(.reads.phases[]? | select(.name == "before") | .latencyMs.p99))) | median) },
		memory: { before: (map(.memoryBefore) | median), after: (map(.memoryAfter) | median) },
		callers: (callers("reads") + if any(.writes) then callers("writes") else [] end) }],
	writes: { acknowledged: ([$all[] | .writes.writes.acknowledged? // empty] | add // 0), lost: ([$all[] | .writes.writes.lost? // empty] | add // 0) } }
