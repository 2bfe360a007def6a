// SPDX-License-Identifier: GPL-2.0
/*
 * Legacy interrupts in a twin-booted kernel. Its firmware tables know no IOAPIC, so that its own driver for these cannot
 * touch what is the parent's. Here ISA interrupt n is Linux interrupt n, as on any PC, over the vector domain.
 *
 * Before the commit the IOAPICs are not even read: their registers lie behind an index that the parent sets too. A line
 * that a driver here has asked for is served by a timer instead, as if it had fired, and the driver does not know.
 * The commit seizes all pins, keeping what the parent had programmed, then either owns them for good (lines in use are
 * programmed, the timer ends) or, when the parent's last processor could not be taken, restores them. An instance may die
 * in between: any kernel that parks keeps what its pins were, and restores them itself when it goes on.
 * None of this is undone once the module of a kernel that was launched is loaded: it does not unload.
 */
#include "twin.h"
#include <linux/hrtimer.h>
#include <linux/io.h>
#include <linux/irq.h>
#include <linux/irqdomain.h>
#include <linux/slab.h>
#include <asm/hw_irq.h>
#include <asm/irqdomain.h>
#include "compat/compat.h"
#include "ioapic.h"
#include "machine.h"

#define REGISTER_SELECT	0x00
#define REGISTER_WINDOW	0x10
#define VERSION		0x01
#define ENTRY(pin)	(0x10 + 2 * (pin))	/* low half, then high half */
#define ENTRY_SMI	0x200			/* delivery mode */
#define ENTRY_MODE	0x700
#define ENTRY_LOW	BIT(13)
#define ENTRY_LEVEL	BIT(15)
#define ENTRY_MASKED	BIT(16)
#define MAX_PINS	240
#define POLL_NS		(4 * NSEC_PER_MSEC)

struct ioapic {
	void __iomem *registers;
	u32 gsi_first;
	u32 pins;	/* known once they have been kept */
	u64 *before;	/* per pin, as they were kept */
};

struct line {
	struct ioapic *ioapic;	/* NULL: there is no such line */
	u32 pin;
	u32 flags;	/* TWIN_LINE_* */
	bool masked;
};

static struct fwnode_handle *node;
static struct irq_domain *domain;
static struct ioapic ioapics[TWIN_MAX_IOAPICS];
static struct line lines[TWIN_ISA_LINES];
static DEFINE_RAW_SPINLOCK(lock);	/* the registers, owned and each line's masked; inside of interrupt descriptors' locks */
static bool owned;
static struct hrtimer poll_timer;
static bool polling;

static u32 read_register(const struct ioapic *ioapic, u32 which)
{
	writel(which, ioapic->registers + REGISTER_SELECT);
	return readl(ioapic->registers + REGISTER_WINDOW);
}

static void write_register(const struct ioapic *ioapic, u32 which, u32 value)
{
	writel(which, ioapic->registers + REGISTER_SELECT);
	writel(value, ioapic->registers + REGISTER_WINDOW);
}

/*
 * Always by way of a masked edge: a pin's level interrupt that was delivered to a vector which nobody will acknowledge
 * any more would block it for ever, and being an edge ends that.
 */
static void program(const struct line *line, struct irq_data *data)
{
	const struct irq_cfg *cfg = irqd_cfg(data);
	u32 entry = cfg->vector;

	lockdep_assert_held(&lock);
	if (!owned || line->pin >= line->ioapic->pins)
		return;
	write_register(line->ioapic, ENTRY(line->pin), ENTRY_MASKED);
	if (line->masked)
		return;
	if (line->flags & TWIN_LINE_LEVEL)
		entry |= ENTRY_LEVEL;
	if (line->flags & TWIN_LINE_ACTIVE_LOW)
		entry |= ENTRY_LOW;
	/* A physical destination: the firmware tables forbid a twin-booted kernel logical ones. */
	write_register(line->ioapic, ENTRY(line->pin) + 1, cfg->dest_apicid << 24);
	write_register(line->ioapic, ENTRY(line->pin), entry);
}

static void set_masked(struct irq_data *data, bool masked)
{
	struct line *line = irq_data_get_irq_chip_data(data);
	unsigned long flags;

	raw_spin_lock_irqsave(&lock, flags);
	line->masked = masked;
	program(line, data);
	if (!masked && !owned && !polling) {
		polling = true;
		hrtimer_start(&poll_timer, ns_to_ktime(POLL_NS), HRTIMER_MODE_REL);
	}
	raw_spin_unlock_irqrestore(&lock, flags);
}

static void line_mask(struct irq_data *data)
{
	set_masked(data, true);
}

static void line_unmask(struct irq_data *data)
{
	set_masked(data, false);
}

static int line_set_affinity(struct irq_data *data, const struct cpumask *mask, bool force)
{
	int outcome = irq_chip_set_affinity_parent(data, mask, force);
	unsigned long flags;

	if (outcome < 0)
		return outcome;
	raw_spin_lock_irqsave(&lock, flags);
	program(irq_data_get_irq_chip_data(data), data);
	raw_spin_unlock_irqrestore(&lock, flags);
	return outcome;
}

static struct irq_chip chip = {
	.name = "TWIN-IOAPIC",
	.irq_mask = line_mask,
	.irq_unmask = line_unmask,
	.irq_ack = irq_chip_ack_parent,		/* edges */
	.irq_eoi = irq_chip_ack_parent,		/* levels */
	.irq_set_affinity = line_set_affinity,
	.irq_retrigger = irq_chip_retrigger_hierarchy,
	.flags = IRQCHIP_SKIP_SET_WAKE | TWIN_IRQCHIP_MOVE_DEFERRED,
};

static enum hrtimer_restart poll(struct hrtimer *expired)
{
	bool last = READ_ONCE(owned);	/* once more: an edge may have come and gone before its pin was on */

	for (u32 irq = 0; irq < TWIN_ISA_LINES; irq++)
		if (lines[irq].ioapic && !READ_ONCE(lines[irq].masked))
			generic_handle_irq(irq);
	if (last)
		return HRTIMER_NORESTART;
	hrtimer_forward_now(expired, ns_to_ktime(POLL_NS));
	return HRTIMER_RESTART;
}

/* Interrupts are asked for as firmware specifications of one cell: the ISA number. */
static int lines_translate(struct irq_domain *of, struct irq_fwspec *wanted, unsigned long *line, unsigned int *type)
{
	*line = wanted->param[0];
	*type = IRQ_TYPE_NONE;
	return 0;
}

static int lines_alloc(struct irq_domain *of, unsigned int irq, unsigned int count, void *wanted)
{
	u32 number = ((const struct irq_fwspec *)wanted)->param[0];
	bool level = lines[number].flags & TWIN_LINE_LEVEL;
	struct irq_alloc_info info = {};
	int err;

	err = irq_domain_alloc_irqs_parent(domain, irq, count, &info);
	if (err)
		return err;
	irq_domain_set_info(domain, irq, number, &chip, &lines[number], level ? handle_fasteoi_irq : handle_edge_irq, NULL,
			    level ? "fasteoi" : "edge");
	if (level)
		irq_set_status_flags(irq, IRQ_LEVEL);
	irq_set_status_flags(irq, IRQ_IS_POLLED);	/* until the commit: then, nothing to do is the rule */
	return 0;
}

static const struct irq_domain_ops domain_ops = {
	.translate = lines_translate,
	.alloc = lines_alloc,
	.free = irq_domain_free_irqs_common,
};

static struct ioapic *ioapic_of(u32 gsi)
{
	struct ioapic *best = NULL;

	for (u32 i = 0; i < twin_machine.ioapic_count; i++)
		if (ioapics[i].gsi_first <= gsi && (!best || ioapics[i].gsi_first > best->gsi_first))
			best = &ioapics[i];
	return best;
}

static int map_ioapics(void)
{
	for (u32 i = 0; i < twin_machine.ioapic_count; i++) {
		ioapics[i].gsi_first = twin_machine.ioapics[i].gsi_first;
		ioapics[i].registers = ioremap(twin_machine.ioapics[i].address, REGISTER_WINDOW + sizeof(u32));
		ioapics[i].before = kcalloc(MAX_PINS, sizeof(ioapics[i].before[0]), GFP_KERNEL);
		if (!ioapics[i].registers || !ioapics[i].before)
			return -ENOMEM;
	}
	return 0;
}

static void create_line(u32 number)
{
	const struct twin_line *where = &twin_machine.isa[number];
	struct irq_fwspec wanted = { .fwnode = domain->fwnode, .param_count = 1, .param = { number } };
	struct ioapic *ioapic = ioapic_of(where->gsi);
	int irq;

	if (!ioapic)
		return;
	lines[number] = (struct line){ .pin = where->gsi - ioapic->gsi_first, .flags = where->flags, .masked = true };
	irq = twin_irq_alloc(domain, number, &wanted);
	if (irq == number)
		lines[number].ioapic = ioapic;
	else
		pr_warn("no interrupt %u: %d\n", number, irq);
}

static int create_lines(void)
{
	node = irq_domain_alloc_named_fwnode("twinkernel");
	if (node)
		domain = irq_domain_create_hierarchy(x86_vector_domain, 0, TWIN_ISA_LINES, node, &domain_ops, NULL);
	if (!domain)
		return -ENOMEM;
	twin_hrtimer_setup(&poll_timer, poll);
	for (u32 number = 1; number < TWIN_ISA_LINES; number++)	/* 0 is no interrupt in Linux */
		create_line(number);
	return 0;
}

/**
 * twin_ioapic_init() - make ISA interrupts usable in a twin-booted kernel; a firmware-booted one has its own driver
 *
 * Return: 0, also when the machine has no IOAPIC or some line cannot be had; -ENOMEM.
 */
int twin_ioapic_init(void)
{
	int err = map_ioapics();

	if (!err && twin_machine.twin_booted && twin_machine.ioapic_count)
		err = create_lines();
	if (err)
		twin_ioapic_exit();
	return err;
}

/** twin_ioapic_exit() - undo twin_ioapic_init(), also a part of it; only while no driver has an interrupt */
void twin_ioapic_exit(void)
{
	for (u32 irq = 0; irq < TWIN_ISA_LINES; irq++)
		if (lines[irq].ioapic)
			irq_dispose_mapping(irq);
	if (domain)
		irq_domain_remove(domain);
	if (node)
		irq_domain_free_fwnode(node);
	for (u32 i = 0; i < twin_machine.ioapic_count; i++) {
		if (ioapics[i].registers)
			iounmap(ioapics[i].registers);
		kfree(ioapics[i].before);
	}
}

static void keep(struct ioapic *ioapic)
{
	u32 version = read_register(ioapic, VERSION);

	lockdep_assert_held(&lock);
	ioapic->pins = version == ~0U ? 0 : min_t(u32, (version >> 16 & 0xff) + 1, MAX_PINS);
	for (u32 pin = 0; pin < ioapic->pins; pin++)
		ioapic->before[pin] = (u64)read_register(ioapic, ENTRY(pin) + 1) << 32 | read_register(ioapic, ENTRY(pin));
}

/** twin_ioapic_keep() - note what is programmed; nobody else uses the registers: one processor is online, its interrupts off */
void twin_ioapic_keep(void)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&lock, flags);
	for (u32 i = 0; i < twin_machine.ioapic_count; i++)
		keep(&ioapics[i]);
	raw_spin_unlock_irqrestore(&lock, flags);
}

/**
 * twin_ioapic_seize() - no pin reaches any processor from here on, but for those that carry SMIs; what was programmed is kept
 *
 * The parent has parked, in its own code or in its panic: it does not use the registers.
 */
void twin_ioapic_seize(void)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&lock, flags);
	for (u32 i = 0; i < twin_machine.ioapic_count; i++) {
		keep(&ioapics[i]);
		for (u32 pin = 0; pin < ioapics[i].pins; pin++)
			if ((ioapics[i].before[pin] & ENTRY_MODE) != ENTRY_SMI)
				write_register(&ioapics[i], ENTRY(pin), ENTRY_MASKED);
	}
	raw_spin_unlock_irqrestore(&lock, flags);
}

/** twin_ioapic_restore() - every pin is as it was at the last twin_ioapic_keep() or twin_ioapic_seize() */
void twin_ioapic_restore(void)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&lock, flags);
	for (u32 i = 0; i < twin_machine.ioapic_count; i++)
		for (u32 pin = 0; pin < ioapics[i].pins; pin++) {
			write_register(&ioapics[i], ENTRY(pin) + 1, ioapics[i].before[pin] >> 32);
			write_register(&ioapics[i], ENTRY(pin), (u32)ioapics[i].before[pin]);
		}
	raw_spin_unlock_irqrestore(&lock, flags);
}

/** twin_ioapic_own() - after twin_ioapic_seize(), the parent is gone: pins fire here, the timer ends */
void twin_ioapic_own(void)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&lock, flags);
	owned = true;
	for (u32 irq = 0; irq < TWIN_ISA_LINES; irq++)
		if (lines[irq].ioapic && !lines[irq].masked)
			program(&lines[irq], irq_get_irq_data(irq));
	raw_spin_unlock_irqrestore(&lock, flags);
	for (u32 irq = 0; irq < TWIN_ISA_LINES; irq++)
		if (lines[irq].ioapic)
			irq_clear_status_flags(irq, IRQ_IS_POLLED);
}
