// SPDX-License-Identifier: GPL-2.0
/*
 * The instance's side of the relation: ALIVE when the module is loaded, READY when its agent says so,
 * SERVING with the first adopted PCI function, PANICKED as the last breath; after the commit there is no
 * parent any more, but the control block stays mapped.
 */
#include "twin.h"
#include <linux/delay.h>
#include <linux/io.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/timekeeping.h>
#include <linux/utsname.h>
#include <asm/tsc.h>
#include "include/abi/control.h"
#include "compat/panic.h"
#include "control.h"
#include "link.h"
#include "machine.h"
#include "parent.h"

#define TIMEOUT_MAX_MS	60000
#define RETURN_WAIT_MS	5000

static struct twin_control *control;	/* NULL in a firmware-booted kernel */
static u64 control_address;
static bool has_parent;			/* until the commit; read locklessly */
static bool panicked;

static int on_panic(struct notifier_block *block, unsigned long action, void *data)
{
	if (READ_ONCE(has_parent)) {
		WRITE_ONCE(panicked, true);	/* timers still run in a panicked kernel: the heart must not */
		WRITE_ONCE(control->child_state, TWINKERNEL_PANICKED);
	}
	twin_link_close_all();
	return NOTIFY_DONE;
}

static struct notifier_block panic_notifier = { .notifier_call = on_panic, .priority = INT_MAX };

/**
 * twin_parent_attach() - map and check the control block
 * @address: its physical address, 0 in a firmware-booted kernel
 *
 * Return: 0, -EPROTO when there is no valid block, -ENOMEM.
 */
int twin_parent_attach(u64 address)
{
	int err;

	if (!address)
		return 0;
	if (!PAGE_ALIGNED(address))
		return -EINVAL;
	control = memremap(address, TWINKERNEL_CONTROL_BYTES, MEMREMAP_WB);
	if (!control)
		return -ENOMEM;
	err = twin_control_check(control, address);
	if (err) {
		pr_err("no control block of version %u at %#llx\n", TWIN_CONTROL_VERSION, address);
		memunmap(control);
		control = NULL;
		return err;
	}
	control_address = address;
	return 0;
}

/** twin_parent_announce() - the module is ready to work: let the parent see it. No unloading after this. */
void twin_parent_announce(void)
{
	if (!control)
		return;
	__module_get(THIS_MODULE);
	atomic_notifier_chain_register(&panic_notifier_list, &panic_notifier);
	strscpy_pad(control->child_release, init_uts_ns.name.release, sizeof(control->child_release));
	WRITE_ONCE(has_parent, true);
	smp_store_release(&control->child_state, TWINKERNEL_ALIVE);	/* after the release */
}

/** twin_parent_detach() - undo twin_parent_attach(), only before twin_parent_announce() */
void twin_parent_detach(void)
{
	if (control)
		memunmap(control);
	control = NULL;
}

/** twin_parent_mapped() - the block as attached, also before twin_parent_announce(); NULL when firmware booted */
const struct twin_control *twin_parent_mapped(void)
{
	return control;
}

/** twin_parent_control() - the block shared with the parent, NULL when there is no parent (any more) */
struct twin_control *twin_parent_control(void)
{
	return READ_ONCE(has_parent) ? control : NULL;
}

u64 twin_parent_control_address(void)
{
	return control_address;
}

u64 twin_parent_beat(void)
{
	return READ_ONCE(has_parent) ? READ_ONCE(control->parent_beat) : 0;
}

/** twin_parent_committed() - is this kernel nobody's instance (any more)? */
bool twin_parent_committed(void)
{
	return !READ_ONCE(has_parent);
}

bool twin_parent_parked(void)
{
	/* with its clock: twin_control_publish_parked() */
	return READ_ONCE(has_parent) && smp_load_acquire(&control->parent_state) == TWIN_PARENT_PARKED;
}

u32 twin_parent_query_flags(void)
{
	return (READ_ONCE(has_parent) ? TWINKERNEL_QUERY_HAS_PARENT : 0) |
	       (twin_parent_parked() ? TWINKERNEL_QUERY_PARENT_PARKED : 0);
}

/* Both arrays at the index at which the parent's holds @word. The order of both kernels is told in include/abi/control.h. */
static bool use_word(const u32 *given, u32 *used, u32 count, u32 word, bool use)
{
	for (u32 i = 0; i < count; i++) {
		if (READ_ONCE(given[i]) != word)
			continue;
		smp_store_release(&used[i], use);	/* after the last access */
		smp_mb();	/* see include/abi/control.h */
		if (READ_ONCE(given[i]) == word)
			return true;
		WRITE_ONCE(used[i], 0);
	}
	return false;
}

/**
 * twin_parent_use_cpu() - take a processor that the parent gave, or let go of it; any context
 * @apic_id: which
 * @use: which of both
 *
 * Return: false when the parent has not given it, or has taken it back.
 */
bool twin_parent_use_cpu(u32 apic_id, bool use)
{
	/* with their ids: twin_control_give_cpu() */
	u32 count = min_t(u32, smp_load_acquire(&control->cpu_count), TWIN_CONTROL_MAX_CPUS);

	return use_word(control->cpus, control->cpus_used, count, apic_id, use);
}

/** twin_parent_use_function() - the same of a PCI function; @bus and @devfn at most 255 */
bool twin_parent_use_function(u32 bus, u32 devfn, bool use)
{
	lockdep_assert_held(&twin_lock);
	return READ_ONCE(has_parent) && use_word(control->functions, control->functions_used, TWIN_CONTROL_MAX_FUNCTIONS,
						 TWIN_CONTROL_FUNCTION | bus << 8 | devfn, use);
}

/** twin_parent_use_memory() - the same of a piece of memory, exactly as it was given */
bool twin_parent_use_memory(u64 start, u64 bytes, bool use)
{
	u64 word = TWIN_CONTROL_MEMORY(start, bytes);

	lockdep_assert_held(&twin_lock);
	if (!READ_ONCE(has_parent) || !bytes || !IS_ALIGNED(start | bytes, BIT_ULL(TWIN_CONTROL_MEMORY_SHIFT)))
		return false;
	for (u32 i = 0; i < TWIN_CONTROL_MAX_MEMORY; i++) {
		if (READ_ONCE(control->memory[i]) != word)
			continue;
		smp_store_release(&control->memory_used[i], use);	/* after the last access */
		smp_mb();	/* see include/abi/control.h */
		if (READ_ONCE(control->memory[i]) == word)
			return true;
		WRITE_ONCE(control->memory_used[i], 0);
	}
	return false;
}

/** twin_parent_beat_up() - one heartbeat towards the parent; called by the heartbeat timer */
void twin_parent_beat_up(void)
{
	if (READ_ONCE(has_parent) && !READ_ONCE(panicked))
		WRITE_ONCE(control->child_beat, control->child_beat + 1);
}

/** twin_parent_publish() - let the parent see a state; never back from a later one */
void twin_parent_publish(u32 state)
{
	lockdep_assert_held(&twin_lock);
	if (READ_ONCE(control->child_state) < state)
		smp_store_release(&control->child_state, state);	/* after what led to it */
}

/** twin_parent_forget() - the commit is done */
void twin_parent_forget(void)
{
	lockdep_assert_held(&twin_lock);
	WRITE_ONCE(has_parent, false);
}

/* TWINKERNEL_IOC_READY */
int twin_parent_ready(struct twinkernel_ready *ready)
{
	int err = -ENOENT;

	if (ready->reserved)
		return -EINVAL;
	mutex_lock(&twin_lock);
	if (READ_ONCE(has_parent)) {
		twin_parent_publish(TWINKERNEL_READY);
		err = 0;
	}
	mutex_unlock(&twin_lock);
	return err;
}

static u64 tsc_to_ns(u64 cycles)
{
	return mul_u64_u64_div_u64(cycles, NSEC_PER_MSEC, tsc_khz);
}

/* The parent stopped its clock when it parked; the TSC, which both share, has counted on. */
static u64 take_wall_clock(void)
{
	u64 parked_at = READ_ONCE(control->parked_realtime_ns);
	u64 age = tsc_to_ns(rdtsc_ordered() - READ_ONCE(control->parked_tsc));
	struct timespec64 now;

	if (age > 24ULL * 3600 * NSEC_PER_SEC || parked_at > KTIME_MAX - age) {
		pr_warn("the parent's wall clock makes no sense, keeping this one\n");
		return 0;
	}
	now = ns_to_timespec64(parked_at + age);
	if (do_settimeofday64(&now))
		pr_warn("the parent's wall clock was refused\n");
	return age;
}

/* TWINKERNEL_IOC_WAIT_PARKED */
int twin_parent_wait_parked(struct twinkernel_wait_parked *wait)
{
	static bool clock_taken;	/* under twin_lock */
	ktime_t deadline;

	if (wait->timeout_ms > TIMEOUT_MAX_MS)
		return -EINVAL;
	deadline = ktime_add_ms(ktime_get(), wait->timeout_ms);
	while (!twin_parent_parked()) {
		if (!READ_ONCE(has_parent))
			return -ENOENT;
		if (signal_pending(current))
			return -EINTR;
		if (ktime_after(ktime_get(), deadline))
			return -ETIMEDOUT;
		usleep_range(50, 100);	/* a part of the gap */
	}
	mutex_lock(&twin_lock);
	wait->parked_age_ns = tsc_to_ns(rdtsc_ordered() - READ_ONCE(control->parked_tsc));
	if (!clock_taken)
		take_wall_clock();
	clock_taken = true;
	mutex_unlock(&twin_lock);
	return 0;
}

/* TWINKERNEL_IOC_CONNECTIONS */
int twin_parent_connections(struct twinkernel_connections *list)
{
	if (list->reserved)
		return -EINVAL;
	if (!READ_ONCE(has_parent))
		return -ENOENT;
	if (!twin_parent_parked())
		return -EAGAIN;
	list->count = min_t(u32, READ_ONCE(control->connection_count), ARRAY_SIZE(control->connections));
	if (list->connections && copy_to_user(u64_to_user_ptr(list->connections), control->connections,
					      min(list->capacity, list->count) * sizeof(control->connections[0])))
		return -EFAULT;
	return 0;
}

/* TWINKERNEL_IOC_RETURN */
int twin_parent_return(struct twinkernel_return *request)
{
	if (request->reserved)
		return -EINVAL;
	if (!READ_ONCE(has_parent))
		return -ENOENT;
	if (!twin_parent_parked())
		return -EAGAIN;
	WRITE_ONCE(control->child_return, 1);
	msleep(RETURN_WAIT_MS);
	/* Still running: the parent is not what it said. Its processors are unknown, so is the way back. */
	return -ETIMEDOUT;
}
