/* Looks a name up as any program does. Arguments: the name, and 0, 4 or 6 for the family. Prints the error, or an address a line. */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>

int main(int argc, char **argv) {
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found, *next;
  char text[INET6_ADDRSTRLEN];
  if (argc != 3) return 2;
  hints.ai_family = *argv[2] == '4' ? AF_INET : *argv[2] == '6' ? AF_INET6 : AF_UNSPEC;
  int error = getaddrinfo(argv[1], 0, &hints, &found);
  if (error) {
    puts(error == EAI_NONAME ? "EAI_NONAME" : error == EAI_AGAIN ? "EAI_AGAIN" : error == EAI_FAIL ? "EAI_FAIL" : "EAI_NODATA");
    return 0;
  }
  for (next = found; next; next = next->ai_next) {
    void *octets = next->ai_family == AF_INET ? (void *)&((struct sockaddr_in *)next->ai_addr)->sin_addr
                                              : (void *)&((struct sockaddr_in6 *)next->ai_addr)->sin6_addr;
    puts(inet_ntop(next->ai_family, octets, text, sizeof text));
  }
  return 0;
}
