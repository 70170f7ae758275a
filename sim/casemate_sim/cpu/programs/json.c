// Parses JSON into a tree on the heap, looks through it, writes it again, and compares.
#include "casemate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PERSONS = 8, SIZE = 4096 };
enum kind { NUMBER, STRING, ARRAY, OBJECT };

struct value {
    enum kind kind;
    int number;
    char *text, *name;            // a string; the name of an object's member
    struct value *first, *next;  // members; the one behind this one
};

char working_set[SIZE];
static char again[SIZE];
static const char *place;

static void *room(size_t size) {
    void *found = calloc(1, size);
    check(found != NULL, "there is room on the heap");
    return found;
}

static char *parse_text(void) {
    const char *start = ++place;
    while (*place != '"') place++;
    const size_t size = (size_t)(place++ - start);
    char *text = room(size + 1);
    memcpy(text, start, size);
    return text;
}

static struct value *parse(void) {
    struct value *value = room(sizeof *value);
    if (*place == '"') {
        value->kind = STRING;
        value->text = parse_text();
    } else if (*place == '[' || *place == '{') {
        value->kind = *place == '[' ? ARRAY : OBJECT;
        struct value **end = &value->first;
        while (*place != ']' && *place != '}') {
            place++;
            char *name = NULL;
            if (value->kind == OBJECT) {
                name = parse_text();
                check(*place++ == ':', "a colon follows a name");
            }
            *end = parse();
            (*end)->name = name;
            end = &(*end)->next;
            check(*place == ',' || *place == ']' || *place == '}', "a member ends");
        }
        place++;
    } else {
        char *behind;
        value->kind = NUMBER;
        value->number = (int)strtol(place, &behind, 10);
        check(behind != place, "a value begins");
        place = behind;
    }
    return value;
}

static char *print(char *to, const struct value *value) {
    if (value->name) to += sprintf(to, "\"%s\":", value->name);
    if (value->kind == NUMBER) return to + sprintf(to, "%d", value->number);
    if (value->kind == STRING) return to + sprintf(to, "\"%s\"", value->text);
    *to++ = value->kind == ARRAY ? '[' : '{';
    for (const struct value *member = value->first; member; member = member->next) {
        to = print(to, member);
        if (member->next) *to++ = ',';
    }
    *to++ = value->kind == ARRAY ? ']' : '}';
    *to = '\0';
    return to;
}

static const struct value *member(const struct value *object, const char *name) {
    for (const struct value *each = object->first; each; each = each->next)
        if (!strcmp(each->name, name)) return each;
    return NULL;
}

static void forget(struct value *value) {
    while (value) {
        struct value *next = value->next;
        forget(value->first);
        free(value->text);
        free(value->name);
        free(value);
        value = next;
    }
}

int main(void) {
    static const char *const towns[] = {"Lisbon", "Oslo", "Riga", "Vienna", "Turin"};
    char *to = working_set;
    *to++ = '[';
    for (int i = 0; i < PERSONS; i++)
        to += sprintf(to, "%s{\"id\":%d,\"name\":\"person %d\",\"town\":\"%s\",\"marks\":[%d,%d,%d]}",
                      i ? "," : "", i, i * 7 % PERSONS, towns[i % 5], i, -i, i * i);
    strcpy(to, "]");
    place = working_set;
    struct value *root = parse();
    check(*place == '\0', "the text ends with the value");
    int count = 0, marks = 0;
    for (struct value *person = root->first; person; person = person->next) {
        if (strcmp(member(person, "town")->text, "Riga")) continue;
        count++;
        for (const struct value *mark = member(person, "marks")->first; mark; mark = mark->next)
            marks += mark->number;
    }
    print(again, root);
    check(!strcmp(working_set, again), "what is written is what was read");
    printf("json: %u bytes, %d of %d live in Riga, their marks are %d\n",
           (unsigned)strlen(again), count, PERSONS, marks);
    forget(root);
    return 0;
}
