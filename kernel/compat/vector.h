/* SPDX-License-Identifier: GPL-2.0 */
/* An interrupt of the vector domain, for no device. Before 6.1 its allocator is not exported: the domain's own is called. */
#ifndef TWIN_COMPAT_VECTOR_H
#define TWIN_COMPAT_VECTOR_H

#include <linux/irq.h>
#include <linux/irqdomain.h>
#include <linux/version.h>
#include <asm/hw_irq.h>
#include <asm/irqdomain.h>

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 1, 0)

static inline int twin_vector_allocate(void)
{
	struct irq_alloc_info info = {};

	return __irq_domain_alloc_irqs(x86_vector_domain, -1, 1, NUMA_NO_NODE, &info, false, NULL);
}

static inline void twin_vector_free(int irq)
{
	irq_dispose_mapping(irq);
}

#else

static inline int twin_vector_allocate(void)
{
	struct irq_alloc_info info = {};
	int irq = irq_alloc_desc(NUMA_NO_NODE), err;

	if (irq < 0)
		return irq;
	irq_get_irq_data(irq)->domain = x86_vector_domain;
	err = x86_vector_domain->ops->alloc(x86_vector_domain, irq, 1, &info);
	if (err) {
		irq_free_desc(irq);
		return err;
	}
	return irq;
}

static inline void twin_vector_free(int irq)
{
	x86_vector_domain->ops->free(x86_vector_domain, irq, 1);
	irq_get_irq_data(irq)->domain = NULL;
	irq_free_desc(irq);
}

#endif

#endif
