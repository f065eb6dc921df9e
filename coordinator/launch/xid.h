/* xid.h - the errors that NVIDIA's driver reports of a GPU, by their numbers (Xid). */
#ifndef KD_LAUNCH_XID_H
#define KD_LAUNCH_XID_H

enum kd_xid_effect {
    KD_XID_OWN,    /* the program's own doing: the GPU is well */
    KD_XID_SILENT, /* comes with every program that is killed: nobody is told */
    KD_XID_NOTED,  /* nothing ends because of it */
    KD_XID_SPOILS, /* what ran there is spoiled and not to blame; the GPU goes on */
    KD_XID_FAILS,  /* nothing may run there until somebody has mended it */
};

enum { KD_XID_LOST = 0 }; /* no Xid: the driver says that the GPU is lost */

/* A number that is not known FAILS. */
enum kd_xid_effect kd_xid_effect(int xid);
const char *kd_xid_meaning(int xid); /* "GPU has fallen off the bus"; never NULL */

#endif
