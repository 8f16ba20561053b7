/*
 * The price of the kernel: reads up to 64 packets with one system call, puts the same A record behind the question of each, and sends
 * them back with one call from the address that was asked (IP_PKTINFO). It knows no names; a server can hardly be cheaper. Each thread has a
 * socket of its own (SO_REUSEPORT).
 * usage: bare PORT THREADS
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { BATCH = 64, SLOT = 4096, CONTROL = 64, HEADER = 12 };

/* A pointer to the question; A, IN, 30 seconds, 192.0.2.1. */
static const unsigned char record[] = {0xc0, HEADER, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4, 192, 0, 2, 1};

static __thread unsigned char packets[BATCH][SLOT];
static __thread unsigned char controls[BATCH][CONTROL];
static __thread struct sockaddr_in peers[BATCH];
static __thread struct iovec parts[BATCH];
static __thread struct mmsghdr messages[BATCH];

static void require(int ok, const char *what) {
  if (ok) return;
  perror(what);
  exit(1);
}

/* Makes a reply of the query; returns its length, 0 where there is no question. */
static size_t answer(unsigned char *packet, size_t length) {
  size_t end = HEADER;
  while (end < length && packet[end] != 0) end += packet[end] + 1u;
  end += 5;
  if (end > length || end + sizeof record > SLOT) return 0;
  packet[2] |= 0x84; /* QR and AA */
  packet[3] = 0;
  memset(packet + 6, 0, HEADER - 6);
  packet[7] = 1;
  memcpy(packet + end, record, sizeof record);
  return end + sizeof record;
}

static void prepare(int count) {
  for (int i = 0; i < count; i++) {
    struct msghdr *header = &messages[i].msg_hdr;
    parts[i] = (struct iovec){packets[i], SLOT};
    *header = (struct msghdr){.msg_name = &peers[i], .msg_namelen = sizeof peers[i], .msg_iov = &parts[i], .msg_iovlen = 1};
    header->msg_control = controls[i];
    header->msg_controllen = CONTROL;
  }
}

/* One message that cannot be sent does not keep the others. */
static void send_all(int fd, int count) {
  for (int sent = 0; sent < count;) {
    int now = sendmmsg(fd, messages + sent, count - sent, MSG_DONTWAIT);
    sent += now > 0 ? now : 1;
  }
}

static int open_socket(int port) {
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  require(fd >= 0, "socket");
  int on = 1, buffer = 4 << 20;
  require(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0, "SO_REUSEPORT");
  require(setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on) == 0, "IP_PKTINFO");
  require(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer) == 0, "SO_RCVBUF");
  struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons(port)};
  own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  require(bind(fd, (struct sockaddr *)&own, sizeof own) == 0, "bind");
  return fd;
}

static void *serve(void *port) {
  int fd = open_socket(*(int *)port);
  prepare(BATCH);
  for (;;) {
    int received = recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, NULL);
    require(received > 0, "recvmmsg");
    int replies = 0;
    for (int i = 0; i < received; i++) {
      size_t length = answer(packets[i], messages[i].msg_len);
      if (length == 0) continue;
      parts[i].iov_len = length;
      if (replies != i) messages[replies] = messages[i];
      replies++;
    }
    send_all(fd, replies);
    prepare(received);
  }
}

int main(int count, char **words) {
  require(count == 3, "usage: bare PORT THREADS");
  int port = atoi(words[1]);
  for (int threads = atoi(words[2]); threads > 1; threads--) {
    pthread_t other;
    require(pthread_create(&other, NULL, serve, &port) == 0, "pthread_create");
  }
  serve(&port);
}
