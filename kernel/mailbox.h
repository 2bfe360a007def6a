/* SPDX-License-Identifier: GPL-2.0 */
/* Mailboxes: one message each way between the agents of parent and instance. */
#ifndef TWIN_MAILBOX_H
#define TWIN_MAILBOX_H

#include "twin.h"

int twin_mailbox_send(struct twinkernel_message *message);
int twin_mailbox_receive(struct twinkernel_message *message);

#endif
