# The rounds of eng/bench-handover, all in one array, as one summary. Quartiles by linear interpolation between the
# closest ranks (Hyndman and Fan 1996, definition 7).
def quantile($p): sort as $v | (($v | length) - 1) * $p | floor as $i |
	if $v == [] then null else $v[$i] + (. - $i) * (($v[$i + 1] // $v[$i]) - $v[$i]) end;
def median: quantile(0.5);
def spread: { median: median, q1: quantile(0.25), q3: quantile(0.75) };
def well: map(select(.outcome == ""));
def phase($probe; $name): [.[] | .[$probe].phases[]? | select(.name == $name)] | {
	probe: $probe, phase: $name, p50: (map(.latencyMs.p50) | median), p99: (map(.latencyMs.p99) | median), gap: (map(.longestGapMs) | median),
	errors: (map([.errors[]] | add // 0) | add // 0), unanswered: (map(.unanswered) | add // 0) };

. as $all | {
	services: [group_by(.service)[] | . as $rounds | (map(select(.strategy == "twin")) | well) as $twins | {
		service: .[0].service,
		strategies: [("twin", "kexec", "reboot") as $strategy | $rounds | map(select(.strategy == $strategy)) | well as $good | {
			strategy: $strategy, rounds: length, failed: (length - ($good | length)),
			outageMs: ($good | map(.outageMs) | spread), totalMs: ($good | map(.totalMs) | spread),
			ratio: (if $good == [] or $twins == [] then null else ($good | map(.outageMs) | median) / ($twins | map(.outageMs) | median) end) }],
		cutOver: [[$twins[] | .upgrade.steps[] | select(.step == "CutOver") | .timings[]?] | group_by(.name)[] |
			{ name: .[0].name, clock: (.[0].clock | sub(":.*"; "")), medianMs: (map(.nanoseconds | tonumber / 1e6) | median) }] | sort_by(.medianMs),
		callers: [("reads", "writes") as $probe | select([$twins[] | .[$probe] // empty] != []) | ("before", "during", "after") as $name | $twins | phase($probe; $name)] }],
	writes: { acknowledged: ([$all[] | .writes.writes.acknowledged? // empty] | add // 0), lost: ([$all[] | .writes.writes.lost? // empty] | add // 0) } }
