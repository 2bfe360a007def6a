/* SPDX-License-Identifier: GPL-2.0 */
/* Tracepoints, one per step: events/twinkernel/ in tracefs. Times are the tracer's; durations in nanoseconds. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM twinkernel

#if !defined(TWIN_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define TWIN_TRACE_H

#include <linux/tracepoint.h>

DECLARE_EVENT_CLASS(twin_memory,
	TP_PROTO(u32 id, u64 start, u64 bytes),
	TP_ARGS(id, start, bytes),
	TP_STRUCT__entry(__field(u32, id) __field(u64, start) __field(u64, bytes)),
	TP_fast_assign(__entry->id = id; __entry->start = start; __entry->bytes = bytes;),
	TP_printk("id=%u start=%#llx bytes=%#llx", __entry->id, __entry->start, __entry->bytes)
);
/* id: the slot */
DEFINE_EVENT(twin_memory, claim_slot, TP_PROTO(u32 id, u64 start, u64 bytes), TP_ARGS(id, start, bytes));
DEFINE_EVENT(twin_memory, release_slot, TP_PROTO(u32 id, u64 start, u64 bytes), TP_ARGS(id, start, bytes));
/* id: 0 */
DEFINE_EVENT(twin_memory, adopt_memory, TP_PROTO(u32 id, u64 start, u64 bytes), TP_ARGS(id, start, bytes));

/* id: the instance */
DEFINE_EVENT(twin_memory, give_memory, TP_PROTO(u32 id, u64 start, u64 bytes), TP_ARGS(id, start, bytes));
DEFINE_EVENT(twin_memory, take_memory, TP_PROTO(u32 id, u64 start, u64 bytes), TP_ARGS(id, start, bytes));
/* id: 0, it goes back to the parent */
DEFINE_EVENT(twin_memory, release_memory, TP_PROTO(u32 id, u64 start, u64 bytes), TP_ARGS(id, start, bytes));

DECLARE_EVENT_CLASS(twin_processor,
	TP_PROTO(u32 instance, u32 cpu, u32 apic_id),
	TP_ARGS(instance, cpu, apic_id),
	TP_STRUCT__entry(__field(u32, instance) __field(u32, cpu) __field(u32, apic_id)),
	TP_fast_assign(__entry->instance = instance; __entry->cpu = cpu; __entry->apic_id = apic_id;),
	TP_printk("instance=%u cpu=%u apic_id=%u", __entry->instance, __entry->cpu, __entry->apic_id)
);
DEFINE_EVENT(twin_processor, give_cpu, TP_PROTO(u32 instance, u32 cpu, u32 apic_id), TP_ARGS(instance, cpu, apic_id));
DEFINE_EVENT(twin_processor, take_cpu, TP_PROTO(u32 instance, u32 cpu, u32 apic_id), TP_ARGS(instance, cpu, apic_id));
DEFINE_EVENT(twin_processor, launch, TP_PROTO(u32 instance, u32 cpu, u32 apic_id), TP_ARGS(instance, cpu, apic_id));

DECLARE_EVENT_CLASS(twin_word,
	TP_PROTO(u32 instance, u32 word),
	TP_ARGS(instance, word),
	TP_STRUCT__entry(__field(u32, instance) __field(u32, word)),
	TP_fast_assign(__entry->instance = instance; __entry->word = word;),
	TP_printk("instance=%u value=%u", __entry->instance, __entry->word)
);
/* value: enum twinkernel_state */
DEFINE_EVENT(twin_word, state, TP_PROTO(u32 instance, u32 word), TP_ARGS(instance, word));
/* value: how many functions are let go */
DEFINE_EVENT(twin_word, park, TP_PROTO(u32 instance, u32 word), TP_ARGS(instance, word));
/* value: its last state */
DEFINE_EVENT(twin_word, stop, TP_PROTO(u32 instance, u32 word), TP_ARGS(instance, word));

TRACE_EVENT(park_end,
	TP_PROTO(u32 instance, u32 end, u64 parked_ns),
	TP_ARGS(instance, end, parked_ns),
	TP_STRUCT__entry(__field(u32, instance) __field(u32, end) __field(u64, parked_ns)),
	TP_fast_assign(__entry->instance = instance; __entry->end = end; __entry->parked_ns = parked_ns;),
	TP_printk("instance=%u end=%u parked_ns=%llu", __entry->instance, __entry->end, __entry->parked_ns)
);

DECLARE_EVENT_CLASS(twin_function,
	TP_PROTO(u32 instance, u32 bus, u32 devfn),
	TP_ARGS(instance, bus, devfn),
	TP_STRUCT__entry(__field(u32, instance) __field(u32, bus) __field(u32, devfn)),
	TP_fast_assign(__entry->instance = instance; __entry->bus = bus; __entry->devfn = devfn;),
	TP_printk("instance=%u function=%02x:%02x.%x", __entry->instance, __entry->bus, __entry->devfn >> 3,
		  __entry->devfn & 7)
);
DEFINE_EVENT(twin_function, give_function, TP_PROTO(u32 instance, u32 bus, u32 devfn), TP_ARGS(instance, bus, devfn));
DEFINE_EVENT(twin_function, take_function, TP_PROTO(u32 instance, u32 bus, u32 devfn), TP_ARGS(instance, bus, devfn));
/* instance: 0, the function goes back to the parent */
DEFINE_EVENT(twin_function, release_function, TP_PROTO(u32 instance, u32 bus, u32 devfn), TP_ARGS(instance, bus, devfn));

TRACE_EVENT(adopt_function,
	TP_PROTO(u32 bus, u32 devfn, u64 scan_ns, u64 bind_ns),
	TP_ARGS(bus, devfn, scan_ns, bind_ns),
	TP_STRUCT__entry(__field(u32, bus) __field(u32, devfn) __field(u64, scan_ns) __field(u64, bind_ns)),
	TP_fast_assign(__entry->bus = bus; __entry->devfn = devfn; __entry->scan_ns = scan_ns; __entry->bind_ns = bind_ns;),
	TP_printk("function=%02x:%02x.%x scan_ns=%llu bind_ns=%llu", __entry->bus, __entry->devfn >> 3, __entry->devfn & 7,
		  __entry->scan_ns, __entry->bind_ns)
);

TRACE_EVENT(commit,
	TP_PROTO(u32 cpus, int err),
	TP_ARGS(cpus, err),
	TP_STRUCT__entry(__field(u32, cpus) __field(int, err)),
	TP_fast_assign(__entry->cpus = cpus; __entry->err = err;),
	TP_printk("cpus=%u err=%d", __entry->cpus, __entry->err)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
