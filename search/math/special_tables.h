/* special_tables.h - coefficients for special.c, lowest power first; made by
 * tests/search/data/make_special.py, which says how. */
#ifndef KD_SEARCH_SPECIAL_TABLES_H
#define KD_SEARCH_SPECIAL_TABLES_H

/* erf(x) / x for 0 <= x <= 1/2, in t = 8 x^2 - 1 */
static const double erf_small[] = {
    0x1.15446b34ed348p+0,   -0x1.658407f4c04bbp-5,  0x1.a6db683de1274p-10,
    -0x1.8f7e682ca9335p-15, 0x1.35219bf052861p-20,  -0x1.934038e557f46p-26,
    0x1.c5c56ebdde4c3p-32,  -0x1.c0bb73b49d962p-38, 0x1.8b4b60851826bp-44,
};

/* exp(x^2) erfc(x) for 0.5 <= x <= 1.0, in t mapped to [-1, 1] */
static const double erfcx_half[] = {
    0x1.038d54ea3d834p-1,  -0x1.78cdd551ee51ap-4,  0x1.d90093ae108b0p-7,  -0x1.09e77d40e0214p-9,
    0x1.1192f5bd775ccp-12, -0x1.054d68296477dp-15, 0x1.d43a7c4dbe650p-19, -0x1.8c97dd32ae0e1p-22,
    0x1.3f81a9597de0ap-25, -0x1.ec0d1ccb09b6fp-29, 0x1.6b80da7254f0fp-32, -0x1.02a2c5796f3cap-35,
    0x1.6be408e744acbp-39, -0x1.e34f70587b39ap-43,
};

/* exp(x^2) erfc(x) for 1.0 <= x <= 2.0, in t mapped to [-1, 1] */
static const double erfcx_one[] = {
    0x1.494daffa2ad68p-2,  -0x1.4f1988444caf6p-4,  0x1.37ea271bc54bdp-6,  -0x1.0dc51d2941fe8p-8,
    0x1.b65944f34f932p-11, -0x1.513ed75fe3aa1p-13, 0x1.ee705e7339ea0p-16, -0x1.5b0ac006ded44p-18,
    0x1.d4509d2e96628p-21, -0x1.30c0deef7e30bp-23, 0x1.7f996b47b4062p-26, -0x1.d41bcf828a13dp-29,
    0x1.156fd6fb88da9p-31, -0x1.3f2aec68e0ef9p-34, 0x1.66efcc06ca710p-37, -0x1.a998623712d22p-40,
    0x1.c702a07f72a49p-43,
};

/* exp(x^2) erfc(x) for 2.0 <= x <= 4.0, in t mapped to [-1, 1] */
static const double erfcx_two[] = {
    0x1.6e9827d229d2dp-3,  -0x1.bd6ae4d14b16fp-5,  0x1.043fe1a98c0d4p-6,  -0x1.259061ba85698p-8,
    0x1.409cc2ed3f027p-10, -0x1.53dec9d0889cap-12, 0x1.5e73930542870p-14, -0x1.6025103cace20p-16,
    0x1.595f1b10ffe11p-18, -0x1.4b14624a945b9p-20, 0x1.3699168d7bd7ep-22, -0x1.1d7922347c7aap-24,
    0x1.014e0a0208be0p-26, -0x1.c74e1c5371149p-29, 0x1.8c2f441a8c0efp-31, -0x1.527f395f218fap-33,
    0x1.1666810f3d63bp-35, -0x1.cd539a8193ddep-38, 0x1.d497f9598b60ap-40, -0x1.765214aed4921p-42,
};

/* exp(x^2) erfc(x) for 4.0 <= x <= 8.0, in t mapped to [-1, 1] */
static const double erfcx_four[] = {
    0x1.7c0348489d721p-4,  -0x1.ed7f66d9d09fep-6,  0x1.3c7764a81f453p-7,  -0x1.9106a7cd79e2cp-9,
    0x1.f64cd9c07dc28p-11, -0x1.370d06417898fp-12, 0x1.7d0e03ec8b2b5p-14, -0x1.cde4cecbb11a2p-16,
    0x1.151346e8ae22cp-17, -0x1.491bb11845652p-19, 0x1.832004ec3d6e4p-21, -0x1.c312b391f19fap-23,
    0x1.0461f39621b5ap-24, -0x1.29e7ea64ec2e6p-26, 0x1.519ffa4478e24p-28, -0x1.7ba3218ba50eap-30,
    0x1.aba7e0d93601cp-32, -0x1.d8b4cc0837307p-34, 0x1.d27c095dabbc0p-36, -0x1.fd76e574c83dap-38,
    0x1.c2ad9ac6b4efap-39, -0x1.e0432d2d9df09p-41,
};

/* x exp(x^2) erfc(x) for x >= 8, in t = 128 / x^2 - 1 */
static const double erfcx_far[] = {
    0x1.1fbfe9ad06e07p-1,  -0x1.1a49451842774p-9,  0x1.9938969c62b49p-16, -0x1.e72d7aa4dcbaep-22,
    0x1.90366f4c01c42p-27, -0x1.a0d0644839f98p-32, 0x1.05a7fec6c8a9fp-36, -0x1.7f0adcca94d89p-41,
    0x1.42488b301a9e6p-45, -0x1.2d156fa478466p-49,
};

/* (exp(r) - 1 - r) / r^2 for |r| <= ln(2) / 2, in r: its Taylor series 1/2!, 1/3!, ... */
static const double exp_tail[] = {
    0x1.0000000000000p-1,  0x1.5555555555555p-3,  0x1.5555555555555p-5,  0x1.1111111111111p-7,
    0x1.6c16c16c16c17p-10, 0x1.a01a01a01a01ap-13, 0x1.a01a01a01a01ap-16, 0x1.71de3a556c734p-19,
    0x1.27e4fb7789f5cp-22, 0x1.ae64567f544e4p-26, 0x1.1eed8eff8d898p-29, 0x1.6124613a86d09p-33,
    0x1.93974a8c07c9dp-37,
};

/* (atanh(s) / s - 1) / s^2 in s^2, |s| <= 0.1716: 1/3, 1/5, ... */
static const double log_tail[] = {
    0x1.5555555555555p-2, 0x1.999999999999ap-3, 0x1.2492492492492p-3, 0x1.c71c71c71c71cp-4,
    0x1.745d1745d1746p-4, 0x1.3b13b13b13b14p-4, 0x1.1111111111111p-4, 0x1.e1e1e1e1e1e1ep-5,
    0x1.af286bca1af28p-5, 0x1.8618618618618p-5, 0x1.642c8590b2164p-5,
};

#endif
