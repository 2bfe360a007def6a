// SPDX-License-Identifier: GPL-2.0
/*
 * The doorbell. One interrupt straight from the vector domain, for all links of this kernel and for as long as the module
 * is loaded: a ring that comes late finds a handler. Its vector and processor may change whenever the kernel moves it
 * (a processor goes offline); who publishes the address asks for it again on every heartbeat. A ring that is lost in
 * between costs one heartbeat, no more.
 */
#include "twin.h"
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/wait.h>
#include <asm/apic.h>
#include <asm/hw_irq.h>
#include "include/abi/link.h"
#include "compat/compat.h"
#include "compat/vector.h"
#include "cpu.h"
#include "doorbell.h"
#include "link.h"

#define VECTOR_FIRST	0x20	/* below: exceptions */
#define VECTOR_LAST	0xeb	/* above: what kernels use among their own processors */
#define BUSY_LOOKS	1000

static int doorbell = -1;	/* the interrupt's number; negative: none, the links are polled */
static u32 count;
static DECLARE_WAIT_QUEUE_HEAD(waiting);

static irqreturn_t rung(int irq, void *data)
{
	WRITE_ONCE(count, count + 1);
	twin_link_rung();
	wake_up_all(&waiting);
	return IRQ_HANDLED;
}

/**
 * twin_doorbell_address() - where this kernel can be rung now, for the peer; 0: nowhere
 *
 * The configuration's own destination is of no use to others: in logical mode it is a set of this kernel's processors.
 */
u64 twin_doorbell_address(void)
{
	struct irq_data *data = doorbell < 0 ? NULL : irq_get_irq_data(doorbell);
	struct irq_cfg *cfg = data ? irqd_cfg(data) : NULL;
	unsigned int cpu;
	u32 apic_id;

	if (!cfg)
		return 0;
	cpu = cpumask_first(irq_data_get_effective_affinity_mask(data));
	return twin_cpu_apic_id(cpu, &apic_id) ? 0 : TWIN_LINK_DOORBELL(apic_id, READ_ONCE(cfg->vector));
}

/** twin_doorbell_valid() - is the vector of an address one that a doorbell may have? */
bool twin_doorbell_valid(u64 address)
{
	return (u32)address >= VECTOR_FIRST && (u32)address <= VECTOR_LAST;
}

/** twin_doorbell_ring() - raise a valid interrupt on a processor that the caller has checked; any context */
void twin_doorbell_ring(u64 address)
{
	unsigned long flags;

	local_irq_save(flags);
	mb();	/* what the ring is about, before the ring: a write to the x2APIC orders nothing */
	for (int i = 0; i < BUSY_LOOKS && (apic->read(APIC_ICR) & APIC_ICR_BUSY); i++)
		cpu_relax();
	twin_apic_icr_write(APIC_DM_FIXED | (u32)address, address >> 32);
	local_irq_restore(flags);
}

/** twin_doorbell_count() - how often this kernel was rung; to be read before looking at what a ring may be about */
u32 twin_doorbell_count(void)
{
	return READ_ONCE(count);
}

/** twin_doorbell_wait() - wait for a ring after @seen, at most @timeout; false when a signal came first */
bool twin_doorbell_wait(u32 seen, ktime_t timeout)
{
	return wait_event_interruptible_hrtimeout(waiting, READ_ONCE(count) != seen, timeout) != -ERESTARTSYS;
}

/** twin_doorbell_init() - have a doorbell; without one everything works, only slower */
void twin_doorbell_init(void)
{
	int irq = twin_vector_allocate(), err;

	if (irq < 0) {
		pr_warn("no doorbell: %d\n", irq);
		return;
	}
	irq_set_handler(irq, handle_edge_irq);
	/* Not to be balanced: moves that nobody asked for only lose rings. A processor that goes offline moves it still. */
	err = request_irq(irq, rung, IRQF_NOBALANCING | IRQF_NO_THREAD, "twinkernel", &doorbell);
	if (err) {
		pr_warn("no doorbell: %d\n", err);
		twin_vector_free(irq);
		return;
	}
	doorbell = irq;
}

void twin_doorbell_exit(void)
{
	if (doorbell < 0)
		return;
	free_irq(doorbell, &doorbell);
	twin_vector_free(doorbell);
	doorbell = -1;
}
