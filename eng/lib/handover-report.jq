# The summary of handover.jq as Markdown.
def ms: if . == null then "-" elif . < 100 then . * 10 | round / 10 else round end | tostring;
def mib: if . == null then "-" else . / 1048576 | round | tostring end;
def cards: if . == 1 then "1 card" else "\(.) cards" end;

"\(.machine); \([.services[].strategies[].rounds] | max) rounds each. A hypervisor above gave \(.stolenPercent.median | ms) % of the machine's processor time to others (median of the rounds; at most \(.stolenPercent.most | ms) %).", "",
"| service | strategy | outage, median (quartiles), ms | of the cut-over alone, median, ms | kexec's is so many times longer | reboot's | whole upgrade, median, s | failed |", "|---|---|---|---|---|---|---|---|",
(.services[] | .service as $name | .strategies[] | "| \($name) | \(.strategy)\(if .strategy == "twin" then ", \(.cards | cards)" else "" end) | \(
	.outageMs.median | ms) (\(.outageMs.q1 | ms) to \(.outageMs.q3 | ms)) | \(.cutOverMs.median | ms) | \(.kexec | ms) | \(.reboot | ms) | \(.totalMs.median | if . == null then null else . / 1000 end | ms) | \(.failed) of \(.rounds) |"),
"", "Parts of a twin's cut-over, medians in ms, each on its own clock:", "",
(.twins as $twins | [$twins[].cutOver[] | "\(.name)|\(.clock)"] | unique as $parts |
	"| part | clock | \($twins | map("\(.service), \(.cards | cards)") | join(" | ")) |", "|---|---|\($twins | map("---|") | join(""))",
	($parts[] as $part | "| `\($part | sub("\\|.*"; ""))` | \($part | sub(".*\\|"; "")) | \([$twins[] | first((.cutOver[] | select("\(.name)|\(.clock)" == $part) | .medianMs), null) | ms] | join(" | ")) |")),
"", "What callers see of a twin upgrade, medians of the rounds:", "",
"| service | callers | phase | p50, ms | p99, ms | answered a second | longest gap, ms | unanswered, errors, all rounds |", "|---|---|---|---|---|---|---|---|",
(.twins[] | "\(.service), \(.cards | cards)" as $name | .callers[] | "| \($name) | \(.probe) | \(.phase) | \(.p50 | ms) | \(.p99 | ms) | \(.perSecond | ms) | \(.gap | ms) | \(.unanswered), \(.errors) |"),
"", "| service | p99 while B boots, times that before | `MemTotal` before, MiB | after | difference |", "|---|---|---|---|---|",
(.twins[] | "| \(.service), \(.cards | cards) | \(.boot.p99Ratio | ms) | \(.memory.before | mib) | \(.memory.after | mib) | \(
	if .memory.after and .memory.before then .memory.after - .memory.before else null end | mib) |"),
"", "Acknowledged writes: \(.writes.acknowledged), lost: \(.writes.lost)"
