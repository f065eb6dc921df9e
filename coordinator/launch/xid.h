/* xid.h - the errors that NVIDIA's driver reports of a GPU, by their numbers (Xid), and those of
 * NVSwitches (SXid), whose numbers begin where those end: one number says which it is. */
#ifndef KD_LAUNCH_XID_H
#define KD_LAUNCH_XID_H

enum kd_xid_effect {
    KD_XID_OWN,    /* the program's own doing: the GPU is well */
    KD_XID_SILENT, /* comes with every program that is killed: nobody is told */
    KD_XID_NOTED,  /* nothing ends because of it */
    KD_XID_SPOILS, /* what ran there is spoiled and not to blame; the GPU goes on */
    KD_XID_FAILS,  /* nothing may run there until somebody has mended it */
};

enum {
    KD_XID_LOST = 0,       /* no Xid: the driver says that the GPU is lost */
    KD_SXID_LEAST = 10000, /* from here on they are SXids */
};

/* A number that is not known FAILS; an SXid is NOTED. */
enum kd_xid_effect kd_xid_effect(int xid);
const char *kd_xid_meaning(int xid); /* "GPU has fallen off the bus"; never NULL */

#endif
