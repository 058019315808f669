"""A small concept's file, and what is changed in it."""

TEA = """# What someone drinks.
name = "Tea drinking"
source = "made up for a test"
license = "MIT"

[poles]
high = "fond of tea"
low = "fond of coffee"

[personas]
high = [
    "You drink tea all day.",
    "You love green tea.",
    "You own nine teapots.",
    "You never miss your tea.",
    "You dream of tea gardens.",
]
low = [
    "You drink coffee all day.",
    "You love black coffee.",
    "You own nine coffee pots.",
    "You never miss your coffee.",
    "You dream of coffee farms.",
]
neutral = ["You own a lamp.", "You live upstairs.", "You have a bicycle.", "You wear size forty."]

[questions]
search = ["What do you order?", "What is in your cup?", "What wakes you?"]
held_out = ["What do you offer guests?", "What do you smell?"]

[statements]
high = [
    "I drink tea.",
    "I love tea.",
    "I buy tea.",
    "I smell of tea.",
    "I dream of tea.",
    "I talk about tea.",
]
low = [
    "I drink coffee.",
    "I love coffee.",
    "I buy coffee.",
    "I smell of coffee.",
    "I dream of coffee.",
    "I talk about coffee.",
]

[rubric]
high = "somebody who drinks tea"
low = "somebody who drinks coffee"
"""
