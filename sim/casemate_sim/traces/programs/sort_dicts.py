"""Sort a list of small dicts by two keys and group them: pointer chasing as Python does it."""

state = 1
people = []
for _ in range(1500):
    state = state * 6364136223846793005 % 2**64
    people.append({"name": f"person {state >> 40}", "age": state >> 33 & 63})
people.sort(key=lambda person: (person["age"], person["name"]))
groups: dict[int, list[str]] = {}
for person in people:
    groups.setdefault(person["age"], []).append(person["name"])
print(len(groups), groups[42][0])
