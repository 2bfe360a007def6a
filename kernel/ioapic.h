/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Legacy interrupt lines of a twin-booted kernel: polled before the commit, the IOAPICs' own pins after it; and the pins of a
 * kernel that parks.
 */
#ifndef TWIN_IOAPIC_H
#define TWIN_IOAPIC_H

#include "twin.h"

int twin_ioapic_init(void);
void twin_ioapic_exit(void);
void twin_ioapic_keep(void);
void twin_ioapic_seize(void);
void twin_ioapic_restore(void);
void twin_ioapic_own(void);

#endif
