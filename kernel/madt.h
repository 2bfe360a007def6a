/* SPDX-License-Identifier: GPL-2.0 */
/* Interrupt lines as the firmware describes them. */
#ifndef TWIN_MADT_H
#define TWIN_MADT_H

struct twin_machine;

int twin_madt_read(struct twin_machine *machine);

#endif
