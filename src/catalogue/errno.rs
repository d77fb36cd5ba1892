//! Errnos by symbol: their numbers on Linux, BSD and macOS, Solaris, and Windows. The texts differ between C libraries and
//! languages and are never asked.

/// Symbol and numbers.
const TABLE: &[(&str, &[u32])] = &[
    ("EPERM", &[1]),
    ("ENOENT", &[2]),
    ("ESRCH", &[3]),
    ("EINTR", &[4, 10004]),
    ("EIO", &[5]),
    ("EBADF", &[9, 10009]),
    ("ECHILD", &[10]),
    ("EAGAIN", &[11, 35, 10035]),
    ("ENOMEM", &[12]),
    ("EACCES", &[13, 10013]),
    ("EBUSY", &[16]),
    ("EEXIST", &[17]),
    ("ENOTDIR", &[20]),
    ("EISDIR", &[21]),
    ("EINVAL", &[22, 10022]),
    ("ENFILE", &[23]),
    ("EMFILE", &[24, 10024]),
    ("EFBIG", &[27]),
    ("ENOSPC", &[28]),
    ("EROFS", &[30]),
    ("EPIPE", &[32]),
    ("ENAMETOOLONG", &[36, 63]),
    ("ENOTEMPTY", &[39, 66]),
    ("ELOOP", &[40, 62]),
    ("EPROTO", &[71, 92]),
    ("EMSGSIZE", &[90, 10040]),
    ("EADDRINUSE", &[98, 48, 10048]),
    ("EADDRNOTAVAIL", &[99, 49, 10049]),
    ("EAFNOSUPPORT", &[97, 47, 10047]),
    ("ENETDOWN", &[100, 50, 10050]),
    ("ENETUNREACH", &[101, 51, 128, 10051]),
    ("ECONNABORTED", &[103, 53, 130, 10053]),
    ("ECONNRESET", &[104, 54, 131, 10054]),
    ("ENOBUFS", &[105, 55, 10055]),
    ("ENOTCONN", &[107, 57, 10057]),
    ("ETIMEDOUT", &[110, 60, 145, 10060]),
    ("ECONNREFUSED", &[111, 61, 146, 10061]),
    ("EHOSTDOWN", &[112, 64, 10064]),
    ("EHOSTUNREACH", &[113, 65, 148, 10065]),
    ("ESTALE", &[116, 70]),
    ("EDQUOT", &[122, 69]),
];

/// What the calls of Windows say instead (`winerror.h`); its sockets have the numbers above 10,000.
const WINDOWS: &[(&str, &[u32])] = &[
    ("ENOENT", &[2, 3]),
    ("EMFILE", &[4]),
    ("EACCES", &[5]),
    ("EBADF", &[6]),
    ("ENOMEM", &[8, 14, 1455]),
    ("EROFS", &[19]),
    ("EBUSY", &[32, 33]),
    ("ENOSPC", &[39, 112]),
    ("ECONNRESET", &[64]),
    ("EEXIST", &[80, 183]),
    ("EPIPE", &[109, 232]),
    ("ETIMEDOUT", &[121]),
    ("ENOTEMPTY", &[145]),
    ("ENAMETOOLONG", &[206]),
    ("ECONNABORTED", &[1236]),
];

/// The numbers of a symbol on the systems that nginx runs on.
pub(super) fn numbers(symbol: &str) -> Option<&'static [u32]> {
    TABLE.iter().find(|(name, _)| *name == symbol).map(|(_, numbers)| *numbers)
}

/// The numbers of a symbol in calls of Windows that are not about sockets.
pub(super) fn windows_numbers(symbol: &str) -> &'static [u32] {
    WINDOWS.iter().find(|(name, _)| *name == symbol).map_or(&[], |(_, numbers)| *numbers)
}
