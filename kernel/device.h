/* SPDX-License-Identifier: GPL-2.0 */
/* /dev/twinkernel: who may open it, and the way from a request's number to its function. */
#ifndef TWIN_DEVICE_H
#define TWIN_DEVICE_H

int twin_device_register(void);
void twin_device_unregister(void);

#endif
