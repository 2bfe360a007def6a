/* SPDX-License-Identifier: GPL-2.0 */
/* Given: what an instance has of this kernel's while both run, and how it comes back. */
#ifndef TWIN_GIVEN_H
#define TWIN_GIVEN_H

#include "twin.h"
#include "pci.h"

struct pci_dev;
struct twin_instance;

/**
 * struct twin_given_function - a PCI function that an instance was given
 * @word: as in the control block, 0: a free entry; read locklessly
 * @dev: it, held
 * @config: its configuration space
 */
struct twin_given_function {
	u32 word;
	struct pci_dev *dev;
	struct twin_pci_function config;
};

int twin_given_init(void);
void twin_given_exit(void);
int twin_given_function(struct twinkernel_give_function *give);
int twin_given_take_function(struct twinkernel_give_function *take);
int twin_given_memory(struct twinkernel_give_memory *give);
int twin_given_take_memory(struct twinkernel_give_memory *take);
bool twin_given_overlaps(const struct twin_instance *instance, u64 start, u64 bytes);
u64 twin_given_memory_bytes(const struct twin_instance *instance);
bool twin_given_any_of(const struct twinkernel_function *where, u32 count);
void twin_given_quiesce(const struct twin_instance *instance);
void twin_given_end(struct twin_instance *instance);

#endif
