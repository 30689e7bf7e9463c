/* The control: a server that does nothing but answer, so that when it is late the machine is.
 *
 * It listens on port 8080 and answers every request with an empty 200, one connection after the other. Without a
 * C library, so that the image made of it holds nothing else. Built by scripts/build-control.sh. */

#if defined(__x86_64__)
enum { READ = 0, CLOSE = 3, SOCKET = 41, ACCEPT = 43, SENDTO = 44, BIND = 49, LISTEN = 50, SETSOCKOPT = 54, EXIT = 60 };

static long call(long number, long a, long b, long c, long d, long e)
{
    register long r10 __asm__("r10") = d, r8 __asm__("r8") = e;
    __asm__ volatile("syscall" : "+a"(number) : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8) : "rcx", "r11", "memory");
    return number;
}
#elif defined(__aarch64__)
enum { CLOSE = 57, READ = 63, EXIT = 93, SOCKET = 198, BIND = 200, LISTEN = 201, ACCEPT = 202, SENDTO = 206, SETSOCKOPT = 208 };

static long call(long number, long a, long b, long c, long d, long e)
{
    register long x8 __asm__("x8") = number, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c,
                  x3 __asm__("x3") = d, x4 __asm__("x4") = e;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory");
    return x0;
}
#endif

enum { AF_INET = 2, SOCK_STREAM = 1, SOL_SOCKET = 1, SO_RCVTIMEO = 20, MSG_NOSIGNAL = 0x4000 };

static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/* Read to the blank line that ends the headers; what closes or says nothing for a second has had its turn. */
static void hear(long connection)
{
    char byte, last = 0;
    while (call(READ, connection, (long)&byte, 1, 0, 0) == 1) {
        if (byte == '\n' && last == '\n')
            return;
        if (byte != '\r')
            last = byte;
    }
}

void _start(void)
{
    static const unsigned char address[16] = {AF_INET, 0, 8080 >> 8, 8080 & 255}; /* any of the container's */
    static const long second[2] = {1, 0};
    long listener = call(SOCKET, AF_INET, SOCK_STREAM, 0, 0, 0);
    if (call(BIND, listener, (long)address, sizeof address, 0, 0) || call(LISTEN, listener, 16, 0, 0, 0))
        call(EXIT, 1, 0, 0, 0, 0);
    for (;;) {
        long connection = call(ACCEPT, listener, 0, 0, 0, 0);
        call(SETSOCKOPT, connection, SOL_SOCKET, SO_RCVTIMEO, (long)second, sizeof second);
        hear(connection);
        call(SENDTO, connection, (long)answer, sizeof answer - 1, MSG_NOSIGNAL, 0); /* who waited may be gone */
        call(CLOSE, connection, 0, 0, 0, 0);
    }
}
