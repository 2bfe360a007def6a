// SPDX-License-Identifier: GPL-2.0
/*
 * A panic of this kernel need not be the machine's end: an instance that stands ready takes over. The panic's own path
 * stops the other processors and then calls here; nothing after it, a reset least of all, runs.
 */
#include "twin.h"
#include <linux/irqflags.h>
#include <linux/slab.h>
#include "compat/panic.h"
#include "control.h"
#include "failover.h"
#include "given.h"
#include "instance.h"
#include "pci.h"

struct armed {
	struct twin_instance *instance;
	struct twin_pci_set functions;
};

static struct armed *armed;	/* changes under twin_lock; the panic notifier reads it as it is */

static int on_panic(struct notifier_block *block, unsigned long action, void *data)
{
	struct armed *now = smp_load_acquire(&armed);	/* publish() */

	if (!now || twin_instance_state(now->instance) != TWINKERNEL_READY)
		return NOTIFY_DONE;
	local_irq_disable();
	twin_pci_quiesce_set(&now->functions);
	pr_emerg("instance %u takes the machine over\n", now->instance->id);
	twin_control_publish_parked(now->instance->control);
	for (;;)
		asm volatile("cli; hlt" : : : "memory");
}

/* After those that write the panic down, before the one that would reset the machine: that is not a notifier. */
static struct notifier_block panic_notifier = { .notifier_call = on_panic, .priority = INT_MIN };

static void drop(struct armed *old)
{
	if (!old)
		return;
	twin_pci_close_set(&old->functions);
	kfree(old);
}

static void publish(struct armed *fresh)
{
	struct armed *old = armed;

	lockdep_assert_held(&twin_lock);
	if (old)
		WRITE_ONCE(old->instance->armed, false);
	if (fresh)
		WRITE_ONCE(fresh->instance->armed, true);
	smp_store_release(&armed, fresh);	/* on_panic() finds it whole */
	/* A processor in the notifier never leaves it, and the others are stopped by then: nobody frees under it. */
	drop(old);
}

/** twin_failover_disarm() - an instance ends or is parked for: a panic no longer hands over to it; under twin_lock */
void twin_failover_disarm(const struct twin_instance *instance)
{
	if (armed && armed->instance == instance)
		publish(NULL);
}

/* TWINKERNEL_IOC_ARM */
int twin_failover_arm(struct twinkernel_arm *arm)
{
	struct armed *fresh = NULL;
	int err = 0;

	if (arm->reserved || arm->function_count > TWINKERNEL_PARK_MAX_FUNCTIONS || (!arm->instance && arm->function_count))
		return -EINVAL;
	mutex_lock(&twin_lock);
	if (!arm->instance)
		goto out_publish;
	err = -ENOMEM;
	fresh = kzalloc(sizeof(*fresh), GFP_KERNEL);
	if (!fresh)
		goto out;
	err = -ENOENT;
	fresh->instance = twin_instance_find(arm->instance);
	if (!fresh->instance)
		goto out_drop;
	err = -EAGAIN;
	if (twin_instance_state(fresh->instance) != TWINKERNEL_READY)
		goto out_drop;
	err = twin_given_any_of(arm->functions, arm->function_count) ? -EINVAL :
	      twin_pci_open_set(&fresh->functions, arm->functions, arm->function_count);
	if (err)
		goto out_drop;
out_publish:
	publish(fresh);
out:
	mutex_unlock(&twin_lock);
	return err;

out_drop:
	drop(fresh);
	mutex_unlock(&twin_lock);
	return err;
}

void twin_failover_init(void)
{
	atomic_notifier_chain_register(&panic_notifier_list, &panic_notifier);
}

void twin_failover_exit(void)
{
	atomic_notifier_chain_unregister(&panic_notifier_list, &panic_notifier);
}
