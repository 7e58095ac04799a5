# Compiler and linker flags of the two configurations.
WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings -Wformat=2 -Wundef -Wvla
BASE_CFLAGS := -std=gnu17 $(WARN) -fno-common -fno-strict-aliasing -D_GNU_SOURCE -DSTARLING_VERSION='"$(VERSION)"' -DSTARLING_ROLES='"$(PROGRAMS)"'
BASE_CPPFLAGS = -I. -I$(GEN) $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null)
LIBS = $(shell pkg-config --libs $(PACKAGES) 2>/dev/null) -lunistring -lpthread

debug_CFLAGS := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
debug_LDFLAGS := -fsanitize=address,undefined
release_CFLAGS := -O2 -g -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE -fcf-protection
release_LDFLAGS := -pie -Wl,-z,relro,-z,now,-z,noexecstack
