/* Counts the files below a folder; built for 32 bits without large-file support. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static unsigned long count(const char *path)
{
    struct stat found;
    if (lstat(path, &found) != 0) {
        perror(path);
        _exit(1);
    }
    unsigned long sum = 1;
    if (!S_ISDIR(found.st_mode))
        return sum;
    DIR *folder = opendir(path);
    if (!folder) {
        perror(path);
        _exit(1);
    }
    for (struct dirent *entry; errno = 0, entry = readdir(folder);) {
        char below[4096];
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        snprintf(below, sizeof below, "%s/%s", path, entry->d_name);
        sum += count(below);
    }
    if (errno) {
        perror(path);
        _exit(1);
    }
    closedir(folder);
    return sum;
}

int main(int argc, char **argv)
{
    printf("%lu\n", argc == 2 ? count(argv[1]) : 0);
    return argc != 2;
}
