"""What people write when they want one of the tasks: alternatives in braces, one template per line.

`PRECISE` names a skill outright. `HINTS` only lean towards some skills (log-odds): "About the even ones." makes counting
evens likelier without settling it. No held-out paraphrase of `src/askwell/tasks/bundled/phrases.json` is among them.
"""

# ruff: noqa: E501 - one template per line
from __future__ import annotations

_N = "{the numbers|these numbers|all the numbers|all numbers|the values|the list|the integers|the given numbers}"
_L = "{the list|this list|the numbers|these numbers|the sequence|the line}"
_W = "{the list|this list|the words|these words|the line|the given words}"
_R = "{the review|this review|the text|the comment|the customer's text}"
_E = "{the expression|this expression|the boolean expression|the formula|the logical expression|the line}"
_P = "{the walker|the person|someone|you|a walker}"

PRECISE: dict[str, str] = {
    "numbers_sum": f"""
{{Add|Add up|Sum|Sum up|Total|Add together}} {_N}.
{{What is|Give|Find|Compute|Calculate|Work out|Tell me|Report|Return}} the {{sum|total}} of {_N}.
{{What is|Give|Find|Compute|Calculate|Work out}} the {{sum|total}}.
{{How much|What}} do {_N} {{add up to|come to|make}} {{together|in total|altogether}}?
{{Put|Take}} {_N} together and {{give|report|say}} the {{sum|total}}.
The {{answer|result|task}} is the {{sum|total}} of {_N}.
{{Do|Perform}} the addition of {_N}.
If you add {_N}, what do you get?
Sum {{please|now|everything|it all}}.
{{Add|Sum}} {{everything|them all|them|it all}} up.""",
    "numbers_max": f"""
{{What is|Give|Find|Tell me|Report|Return|Name|Pick|Write}} the {{largest|biggest|highest|greatest|maximum|top}} {{number|value|one}} {{of|in|from}} {_L}.
{{What is|Give|Find|Compute|Report}} the maximum {{of|in}} {_L}.
Which {{number|value|one}} is the {{largest|biggest|highest|greatest}}?
Which of {_N} is {{larger|bigger|higher}} than {{all the others|the rest|the others}}?
{{Choose|Select|Take}} the {{largest|biggest|highest|greatest|maximum}} {{number|value}}.
The {{answer|result|task}} is the {{largest|biggest|highest|maximum}} {{number|value}}.
{{Look for|Search for}} the {{largest|biggest|highest}} {{number|value}} and {{give|write|report}} it.
{{Maximum|The maximum}} {{please|of the list|of these}}.""",
    "numbers_min": f"""
{{What is|Give|Find|Tell me|Report|Return|Name|Pick|Write}} the {{smallest|lowest|least|minimum}} {{number|value|one}} {{of|in|from}} {_L}.
{{What is|Give|Find|Compute|Report}} the minimum {{of|in}} {_L}.
Which {{number|value|one}} is the {{smallest|lowest|least}}?
Which of {_N} is {{smaller|lower|less}} than {{all the others|the rest|the others}}?
{{Choose|Select|Take}} the {{smallest|lowest|minimum}} {{number|value}}.
The {{answer|result|task}} is the {{smallest|lowest|minimum}} {{number|value}}.
{{Look for|Search for}} the {{smallest|lowest}} {{number|value}} and {{give|write|report}} it.
{{Minimum|The minimum}} {{please|of the list|of these}}.""",
    "numbers_even": f"""
{{Count|Count up|Tally}} the even {{numbers|values|ones|integers}}{{| in the list| above| here}}.
How many {{even numbers|even values|evens|even ones}} {{are there|are in the list|do you see|does the list have|can you find}}?
How many of {_N} are {{even|divisible by two|even numbers}}?
{{What is|Give|Find|Report|Tell me|Compute}} the {{number|count}} of even {{numbers|values|ones|integers}}.
{{Say|Tell me|Work out}} how many {{numbers|values}} are even.
{{Count|Count up}} how many {{numbers|values}} {{are even|can be divided by two|are divisible by two}}.
The {{answer|result|task}} is {{how many numbers are even|the count of even numbers|the number of even values}}.
{{Count|Tally}} only the even ones.""",
    "numbers_large": f"""
{{Count|Count up|Tally}} the {{numbers|values|ones}} {{greater than ten|above ten|over ten|larger than ten|bigger than 10|greater than 10|above 10|over 10|that exceed ten}}.
How many {{numbers|values}} are {{greater than ten|above ten|over ten|larger than ten|bigger than ten|greater than 10|above 10|more than 10|over 10}}?
How many of {_N} are {{greater than ten|above ten|over ten|larger than 10|more than ten}}?
{{What is|Give|Find|Report|Tell me}} the {{number|count}} of {{numbers|values}} {{greater than ten|above ten|over ten|above 10|greater than 10}}.
{{Say|Tell me|Work out}} how many {{numbers|values}} are {{greater than ten|above ten|over ten|above 10}}.
The {{answer|result|task}} is how many numbers are {{greater than ten|above ten|over ten}}.
{{Count|Tally}} only {{those|the ones}} {{above ten|over ten|greater than ten}}.""",
    "numbers_first": f"""
{{What is|Give|Find|Tell me|Report|Return|Name|Write|Copy|Repeat}} the {{first|very first|opening|leading}} {{number|value|one|entry}} {{of|in|from}} {_L}.
{{What is|Give|Write|Copy|Repeat}} the {{first|very first}} {{number|value|one}}.
Which {{number|value}} {{comes first|is first|stands first|opens the list|is at the start}}?
{{With|By}} which number does {{the list|the line|the sequence}} {{begin|start|open}}?
{{Copy|Take|Repeat}} the number at the {{beginning|start}} of {{the list|the line|the sequence}}.
The {{answer|result|task}} is the first {{number|value}}.
{{Which number starts|What number begins}} the list?""",
    "numbers_last": f"""
{{What is|Give|Find|Tell me|Report|Return|Name|Write|Copy|Repeat}} the {{last|very last|final|closing}} {{number|value|one|entry}} {{of|in|from}} {_L}.
{{What is|Give|Write|Copy|Repeat}} the {{last|very last|final}} {{number|value|one}}.
Which {{number|value}} {{comes last|is last|stands last|closes the list|is at the end}}?
{{With|By}} which number does {{the list|the line|the sequence}} {{end|finish|close}}?
{{Copy|Take|Repeat}} the number at the end of {{the list|the line|the sequence}}.
The {{answer|result|task}} is the {{last|final}} {{number|value}}.
{{Which number ends|What number finishes}} the list?""",
    "numbers_sort": f"""
{{Sort|Order|Arrange|Rank}} {_N} {{in ascending order|from small to large|from smallest to largest|from low to high|from lowest to highest|in increasing order|upwards}}.
{{Sort|Order|Arrange}} {{the numbers|these numbers|them|the values|the list}}.
{{Put|Bring|Write|List|Rewrite}} {_N} in {{ascending|increasing|sorted|rising|numerical}} order.
{{Give|Return|Write|Show}} {{the sorted list|the list sorted|the list in sorted order|a sorted list of the numbers}}.
{{Put|Bring}} {_N} in order{{| starting with the smallest| smallest first}}.
The {{answer|result|task}} is the {{sorted list|list in ascending order}}.
{{Write|List|Give}} {_N} {{smallest first|from smallest to largest|from low to high}}.""",
    "words_animals": f"""
{{Count|Count up|Tally}} the {{animals|animal words|animal names|living creatures}}{{| in the list| above| here}}.
How many {{animals|animal words|animal names|living creatures}} {{are there|are in the list|do you see|does the list have|can you find}}?
How many of {_W} are {{animals|names of animals|living creatures}}?
{{What is|Give|Find|Report|Tell me|Compute}} the {{number|count}} of {{animals|animal words|animal names}}.
{{Say|Tell me|Work out}} how many {{words|entries}} are {{animals|names of animals}}.
The {{answer|result|task}} is {{how many words are animals|the count of animals|the number of animals}}.
{{Count|Tally}} only the animals.""",
    "words_fruits": f"""
{{Count|Count up|Tally}} the {{fruits|fruit|fruit words|fruit names|pieces of fruit}}{{| in the list| above| here}}.
How many {{fruits|fruit words|fruit names|pieces of fruit}} {{are there|are in the list|do you see|does the list have|can you find}}?
How many of {_W} are {{fruits|names of fruits|fruit}}?
{{What is|Give|Find|Report|Tell me|Compute}} the {{number|count}} of {{fruits|fruit words|fruit names}}.
{{Say|Tell me|Work out}} how many {{words|entries}} are {{fruits|names of fruits|fruit}}.
The {{answer|result|task}} is {{how many words are fruits|the count of fruits|the number of fruits}}.
{{Count|Tally}} only the fruits.""",
    "words_first": f"""
{{What is|Give|Find|Tell me|Report|Return|Name|Write|Copy|Repeat}} the {{first|very first|opening|leading}} {{word|item|entry|one}} {{of|in|from}} {_W}.
{{What is|Give|Write|Copy|Repeat}} the {{first|very first}} {{word|item|entry}}.
Which word {{comes first|is first|stands first|opens the list|is at the start}}?
{{With|By}} which word does {{the list|the line}} {{begin|start|open}}?
{{Copy|Take|Repeat}} the word at the {{beginning|start}} of {{the list|the line}}.
The {{answer|result|task}} is the first {{word|item}}.
{{Which word starts|What word begins}} the list?""",
    "words_last": f"""
{{What is|Give|Find|Tell me|Report|Return|Name|Write|Copy|Repeat}} the {{last|very last|final|closing}} {{word|item|entry|one}} {{of|in|from}} {_W}.
{{What is|Give|Write|Copy|Repeat}} the {{last|very last|final}} {{word|item|entry}}.
Which word {{comes last|is last|stands last|closes the list|is at the end}}?
{{With|By}} which word does {{the list|the line}} {{end|finish|close}}?
{{Copy|Take|Repeat}} the word at the end of {{the list|the line}}.
The {{answer|result|task}} is the {{last|final}} {{word|item}}.
{{Which word ends|What word finishes}} the list?""",
    "words_alphabetical": f"""
{{Sort|Order|Arrange}} {_W} {{alphabetically|in alphabetical order|by the alphabet|from A to Z|by first letter|as in a dictionary}}.
{{Put|Bring|Write|List|Rewrite}} {_W} in {{alphabetical|dictionary|sorted|alphabetic}} order.
{{Give|Return|Write|Show}} {{the sorted list|the list sorted|the list in alphabetical order|a sorted list of the words}}.
{{Sort|Order|Arrange}} {{the words|these words|them|the list}}.
{{Write|List}} {_W} from A to Z.
The {{answer|result|task}} is the {{sorted list|list in alphabetical order|words from A to Z}}.""",
    "words_longest": f"""
{{What is|Give|Find|Tell me|Report|Return|Name|Pick|Write}} the longest {{word|item|entry|one}} {{of|in|from}} {_W}.
{{What is|Give|Find|Name|Pick}} the {{longest word|word with the most letters|word with most letters|longest entry}}.
Which word {{is the longest|is longest|has the most letters|has most letters|has more letters than the others}}?
{{Choose|Select|Take}} the {{longest word|word with the most letters}}.
The {{answer|result|task}} is the {{longest word|word with the most letters}}.
{{Look for|Search for}} the longest word and {{give|write|report}} it.""",
    "words_reverse": f"""
{{Reverse|Turn around|Invert|Flip}} {{the list|the order|the order of the words|this list|the words|the line}}.
{{Write|List|Give|Repeat|Say|Read}} {_W} {{backwards|in reverse|in reverse order|in the opposite order|from last to first|from the end to the start}}.
{{Put|Bring}} {_W} in {{reverse|reversed|opposite|backward}} order.
{{Give|Return|Write|Show}} {{the reversed list|the list reversed|the list in reverse|the list backwards}}.
{{Start|Begin}} with the last word and end with the first.
The {{answer|result|task}} is the {{reversed list|list in reverse order|list backwards}}.""",
    "words_count": """
{Count|Count up|Tally} {the words|all words|all the words|all entries|the items|all items|every word}{| in the list| above| here}.
How many {words|items|entries} {are there|are in the list|do you see|does the list have|can you find|are given}?
{What is|Give|Find|Report|Tell me|Compute} the {number|count|total number} of {words|items|entries}.
{What is|Give|Find|Report} the {length|size} of the list.
How long is {the list|this list}?
The {answer|result|task} is {how many words there are|the number of words|the length of the list}.""",
    "review_sentiment": f"""
{{What is|Give|Find|Name|Tell me|Decide|Determine|Classify}} the sentiment of {_R}.
Is {_R} {{positive or negative|negative or positive|favourable or not: positive or negative}}?
{{Classify|Label|Mark|Judge}} {_R} as {{positive or negative|negative or positive}}.
{{Say|Decide|Tell me}} {{whether|if}} {_R} is {{positive or negative|negative or positive}}.
{{What is|Describe|Name}} the {{writer's|customer's|author's}} {{attitude|opinion|feeling|mood}}: positive or negative?
{{Does|Did}} the {{writer|customer|author}} like it? Say positive or negative.
The {{answer|result|task}} is the sentiment{{| of the review}}.
{{Positive or negative|Sentiment|The sentiment}}?""",
    "review_topic": f"""
{{What is|Give|Find|Name|Tell me|Decide|Determine}} the {{topic|subject|theme}} of {_R}.
What is {_R} about{{| : food, film, hotel, book or phone}}?
{{Classify|Label|Sort}} {_R} by {{topic|subject|category}}.
{{What kind|Which kind|What type}} of {{thing|product|item}} is {{reviewed|described|being reviewed}}?
{{Which|What}} {{category|topic|subject}} {{does the review belong to|fits the review|is it}}: food, film, hotel, book or phone?
{{Say|Tell me|Decide}} {{what the review is about|which topic it has|what is being reviewed}}.
{{Choose|Pick}} {{one topic|a topic|the topic}}: food, film, hotel, book, phone.
The {{answer|result|task}} is the {{topic|subject|category}}.
{{Topic|The topic|Subject}}?""",
    "review_staff": f"""
Is {{the staff|a staff member|an employee|someone who works there|any employee}} mentioned{{| in the review| in the text}}?
Does {_R} {{mention|speak of|talk about|name|say anything about}} {{the staff|an employee|a staff member|employees|the service staff}}?
{{Say|Decide|Tell me|Check}} {{whether|if}} {{the staff is|employees are|an employee is|a staff member is}} mentioned.
{{Does the writer|Does the customer|Did the writer}} {{mention|talk about|write about}} {{the staff|an employee|employees|the people who work there}}?
{{Answer|Say}} yes if {{the staff is|an employee is|a staff member is}} mentioned, no otherwise.
{{Staff mentioned|Are staff mentioned|Any staff mentioned}}: yes or no?
The {{answer|result|task}} is whether the staff is mentioned.""",
    "review_stars": f"""
How many stars {{does|would|did}} the {{writer|customer|author}} give{{| from one to five| out of five}}?
{{What is|Give|Find|Predict|Guess|Estimate|Tell me}} the {{star rating|rating|number of stars|stars|score in stars}}{{| from 1 to 5| of the review| out of five}}.
{{Rate|Score}} {_R} {{from 1 to 5|from one to five|with stars|in stars|on a scale from 1 to 5}}.
{{How many stars|What rating|Which rating}} {{fits the review|does the review have|is it|goes with this text}}?
{{Translate|Turn}} {_R} into {{a star rating|stars|a rating from 1 to 5}}.
The {{answer|result|task}} is the {{star rating|number of stars|rating}}.
{{Stars|Star rating|The star rating}} {{please|from 1 to 5|out of five}}.""",
    "bool_value": f"""
{{Evaluate|Work out|Compute|Calculate|Solve}} {_E}.
{{What is|Give|Find|Compute|Determine|Tell me}} the {{value|truth value|logical value|boolean value}} of {_E}.
{{What|To what|To which value}} does {_E} {{evaluate to|come out as|equal}}?
Is {_E} {{true or false|True or False}}?
{{Say|Decide|Tell me}} {{whether|if}} {_E} is {{true or false|True or False|true}}.
{{Apply|Use}} the {{rules of logic|operators|logical operators}} and give the {{result|value}}.
The {{answer|result|task}} is the {{value|truth value}} of {_E}.
{{True or False|The value|Truth value}}?""",
    "bool_trues": """
{Count|Count up|Tally} {the word True|how often True appears|the Trues|every True|the occurrences of True|how many times True is written}.
How {many times|often} does {True|the word True} {appear|occur|stand|come up}{| in the line| in the expression}?
How many {Trues|True words|times is True written|True values} {are there|do you see|can you find}?
{What is|Give|Find|Report} the {number|count} of {Trues|True values|True words|True}.
{Count|Tally} only {the True values|True|the Trues}.
The {answer|result|task} is {how often True appears|the number of Trues|the count of True}.""",
    "bool_falses": """
{Count|Count up|Tally} {the word False|how often False appears|the Falses|every False|the occurrences of False|how many times False is written}.
How {many times|often} does {False|the word False} {appear|occur|stand|come up}{| in the line| in the expression}?
How many {Falses|False words|times is False written|False values} {are there|do you see|can you find}?
{What is|Give|Find|Report} the {number|count} of {Falses|False values|False words|False}.
{Count|Tally} only {the False values|False|the Falses}.
The {answer|result|task} is {how often False appears|the number of Falses|the count of False}.""",
    "bool_operators": """
{Count|Count up|Tally} the {operators|logical operators|boolean operators|connectives|operator words}{| in the line| in the expression}.
How many {operators|logical operators|boolean operators|connectives|operator words} {are there|do you see|can you find|are in the expression|does it use}?
How {many times|often} do and, or and not {appear|occur}{| in total| together}?
{What is|Give|Find|Report} the {number|count} of {operators|logical operators|connectives}.
{Count|Tally} {only|all} the {operators|words and, or, not}.
The {answer|result|task} is {how many operators there are|the number of operators|the count of operators}.""",
    "walk_returns": f"""
{{Does|Will}} {_P} {{return|come back|get back|go back}} to the {{start|starting point|beginning|starting place}}?
{{Is|Are}} {_P} back at the {{start|starting point|beginning|starting place}}{{| at the end| after the walk}}?
If you follow these {{instructions|orders|steps}}, do you {{return|come back}} to the {{start|starting point}}?
{{Say|Decide|Tell me|Check}} {{whether|if}} {_P} {{returns|comes back|gets back}} to the {{start|starting point}}.
{{Does|Will}} the {{walk|path|route|way}} {{end where it began|end at the start|lead back to the start|end at the starting point}}?
{{Answer|Say}} Yes if the walk ends at the {{start|starting point}}, No otherwise.
The {{answer|result|task}} is whether {_P} returns to the start.""",
    "walk_steps": """
{Count|Count up|Add|Add up|Sum|Total} {the steps|all steps|all the steps|the steps taken}.
How many steps {are taken|are there|does the walker take|are taken in total|are walked|does it take}{| in total| altogether}?
{What is|Give|Find|Report|Compute|Tell me} the {number of steps|total number of steps|step count|total of the steps|sum of the steps}.
How {far|much} {is walked|does the walker go|does one walk} in steps{| in total}?
The {answer|result|task} is the {number of steps|total number of steps|step count}.
{Steps in total|Total steps|Number of steps}?""",
    "walk_direction": """
{Which|What} {direction|way} {does the walker face|do you face|is the walker facing|does one look|are you facing} at the end?
{Which|What} direction {is faced|does one face} {at the end|in the end|after the last order|finally}{| if one starts facing north}?
{What is|Give|Find|Report|Name|Tell me} the {final|last|end} {direction|facing|heading}.
Where {does the walker look|do you look|is the walker looking} at the end{|: north, east, south or west}?
{Starting|Beginning} north, which direction {is faced|do you face} at the end?
The {answer|result|task} is the {final direction|direction at the end|last heading}.
{Final direction|Direction at the end|Facing}: north, east, south or west?""",
    "walk_turns": """
{Count|Count up|Tally} {the turns|all turns|all the turns|how often one turns|the turning orders}.
How many {turns|times does the walker turn|turning orders|times do you turn} {are there|are made|in total|altogether}?
How {often|many times} {does the walker turn|do you turn|is there a turn|does one turn}?
{What is|Give|Find|Report|Tell me} the {number|count} of {turns|turning orders}.
{Count|Tally} only the turns.
The {answer|result|task} is the {number of turns|count of turns}.
{Turns in total|Total turns|Number of turns}?""",
}

_COUNTING = (
    "numbers_even numbers_large words_animals words_fruits words_count bool_trues bool_falses "
    "bool_operators walk_turns walk_steps"
)
_FIRST, _LAST = "numbers_first words_first", "numbers_last words_last"
_ORDERING = "numbers_sort words_alphabetical words_reverse"

HINTS: tuple[tuple[str, float, str], ...] = (
    (
        "{Count.|Count something.|Do some counting.|Count carefully.|It is about counting.|A count is needed.}",
        2.4,
        _COUNTING,
    ),
    (
        "{How many?|How many are there?|Say how many.|Give a count.|Tell me how many.|What is the count?}",
        2.2,
        _COUNTING,
    ),
    (
        "{About the even ones.|Mind the even numbers.|Look at the even ones.|Think of even numbers.|Even or odd?|Even numbers matter.}",
        2.6,
        "numbers_even",
    ),
    (
        "{Some are divisible by two.|Check each number for parity.|Odd ones do not matter.|Ignore the odd numbers.}",
        2.0,
        "numbers_even",
    ),
    (
        "{About the large ones.|Mind the large numbers.|Small numbers do not matter.|Compare with ten.|Ten is the limit.|Only large ones matter.}",
        2.2,
        "numbers_large numbers_large numbers_max",
    ),
    (
        "{Think of addition.|Use addition.|About the total.|In total.|Altogether.|Everything together.|Combine them.|Plus.}",
        2.3,
        "numbers_sum walk_steps words_count",
    ),
    (
        "{Do the arithmetic.|Compute.|Calculate.|Use all of them.|Do the maths.|Work it out.}",
        1.6,
        "numbers_sum walk_steps bool_value",
    ),
    (
        "{Compare the numbers.|Compare them.|Compare the values.|Which one?|Pick one.|Choose one.|Select one.}",
        1.6,
        "numbers_max numbers_min words_longest numbers_first words_first",
    ),
    ("{The extreme one.|An extreme value.|Find the extreme.}", 2.4, "numbers_max numbers_min words_longest"),
    (
        "{As big as possible.|The top one.|High is good.|The winner.|Go for the big one.|Large.|The peak.}",
        2.4,
        "numbers_max words_longest",
    ),
    (
        "{As small as possible.|The bottom one.|Low is good.|Go for the small one.|Small.|Tiny ones matter.}",
        2.4,
        "numbers_min",
    ),
    ("{Mind the order.|About the order.|Order matters.|Think of the order.|The order is what counts.}", 2.0, _ORDERING),
    (
        "{Put things in order.|Rearrange.|Rearrange them.|Give the whole list.|Write the list again.|Tidy up the list.}",
        2.4,
        _ORDERING,
    ),
    (
        "{Look at the beginning.|About the start.|At the front.|Only the start matters.|The beginning counts.}",
        2.4,
        _FIRST,
    ),
    (
        "{Look at the end.|About the end.|At the back.|Only the end matters.|The end counts.}",
        2.2,
        _LAST + " walk_direction",
    ),
    (
        "{Think of animals.|About animals.|Mind the animals.|Creatures matter.|Zoo.|Living things.}",
        2.5,
        "words_animals",
    ),
    (
        "{Think of fruit.|About fruit.|Mind the fruits.|Things you can eat.|Fruit matters.|Fruit basket.}",
        2.5,
        "words_fruits",
    ),
    (
        "{Think of categories.|About the kinds of things.|What kind of things?|Mind the meaning.}",
        1.8,
        "words_animals words_fruits review_topic",
    ),
    (
        "{Mind the letters.|Look at the letters.|About letters.|Letters matter.|Spelling matters.}",
        2.0,
        "words_longest words_alphabetical",
    ),
    ("{Length matters.|Mind the length.|Long words.|About length.}", 2.2, "words_longest words_longest words_count"),
    ("{Backwards.|The other way round.|From the other side.|From the end.}", 2.6, "words_reverse"),
    ("{The alphabet matters.|Alphabet.|Like a dictionary.|A to Z.}", 2.8, "words_alphabetical"),
    (
        "{About the feeling.|The mood matters.|Emotion.|Think of the opinion.|Good or bad?|How does the writer feel?|Tone.}",
        2.4,
        "review_sentiment review_sentiment review_stars",
    ),
    ("{One to five.|A scale.|Rate.|A number from 1 to 5.|Stars matter.|Grade it.}", 2.6, "review_stars"),
    ("{What is it?|What thing?|About what?|A kind of product.|Category.|Which thing is it?}", 2.2, "review_topic"),
    (
        "{Think of the people.|People who work there.|Who is there?|Employees.|About the service.|Mind the persons.}",
        2.4,
        "review_staff",
    ),
    (
        "{Yes or no.|Yes or no?|Say yes or no.|Answer yes or no.|Answer with yes or no.}",
        2.4,
        "review_staff walk_returns",
    ),
    ("{Logic.|Use logic.|Think logically.|Mind the logic.|Boolean logic.|Precedence matters.}", 2.2, "bool_value"),
    ("{About True.|Mind the True ones.|Look for True.|True matters.}", 2.3, "bool_trues bool_trues bool_value"),
    ("{About False.|Mind the False ones.|Look for False.|False matters.}", 2.3, "bool_falses bool_falses bool_value"),
    ("{About the connectives.|Mind the small words.|And, or, not.|Look at and, or, not.}", 2.3, "bool_operators"),
    (
        "{Track the position.|Where are you?|Where does it end?|Think of the place.|Draw a map.|Follow the path.}",
        2.2,
        "walk_returns walk_direction",
    ),
    (
        "{Track the direction.|Use a compass.|North, east, south, west.|Which way?|Think of the compass.}",
        2.5,
        "walk_direction",
    ),
    (
        "{Steps matter.|Mind the steps.|Look at the steps.|How far?|Think of the distance.}",
        2.3,
        "walk_steps walk_returns",
    ),
    ("{Turns matter.|Mind the turns.|Look at the turns.|About turning.}", 2.3, "walk_turns walk_turns walk_direction"),
    ("{Back again.|Home.|Is it a loop?|A round trip?|Same place?}", 2.5, "walk_returns"),
)

VAGUE = """
{Answer|Solve|Do|Handle|Complete|Process} {the question|this|it|the task|the problem|the exercise|the request|the following}.
{What is the answer|What is right|What would you say|What comes out|What do you think}?
{Answer|Reply|Respond}{| please| now| correctly| well| as well as you can}.
{Give|Find|Write|Produce|Provide} {the answer|an answer|the correct answer|the right answer|a good answer|the solution|the result}.
{Please|Kindly} {answer|solve this|reply|help|do this}.
{Look at|Read|Consider|Study|See} {the numbers|the list|the words|the text|the input|the line|this|it}.
{Do what is asked|Do your best|Do the task|You know what to do|Help me with this|Help the user}.
{Here is a question|Here is a task|This is a task|Next one|One more}.
{Solve|Answer} {the problem|the question} {below|above|given|correctly|carefully}."""

STEPWISE = """
{Let's|Let us|Please} {think|go|work|reason|do it|solve it} step by step.
{Think|Go|Work|Reason|Proceed|Solve it|Do it} step by step.
{Show|Write|Write down|Give} {your work|your working|your steps|the steps|every step|the working|your reasoning}.
{Explain|Show|Write} {your reasoning|each step|the steps} {before answering|first|before the answer}.
{Work|Go} through {it|the list|the line|everything} one {by one|at a time|item at a time|after the other}.
{Reason|Work} carefully, one {step|item} after another.
{First|Begin with} {reason|the working|think aloud|the steps}, then {answer|the answer|give the answer}.
{Keep|Write|Use} {a running tally|intermediate results|intermediate steps|notes as you go}."""

LEANING_STEPWISE = """
{Think|Reason|Work|Read} {carefully|slowly|hard|well}.
{Take|Use} {your time|a deep breath|care}.
{Be|Stay} {careful|thorough|precise|exact|accurate}.
{Check|Verify} {everything|each item|your work|every item}.
{Do not|Don't} {rush|hurry|guess}."""

DIRECT = """
{Answer|Reply|Respond} {directly|at once|immediately|briefly|shortly|right away}.
{Give|Write|Say|Output|Return} {only|just} the {answer|result|final answer|final result}.
{No|Without} {explanation|explanations|working|steps|reasoning|further text}.
{Reply|Answer|Respond} with {the answer only|only the answer|just the answer|the answer and nothing else|nothing else}.
{Do not|Don't} {explain|show your work|show the steps|think aloud|write the steps}.
{Just|Only} the {answer|result}{| please}.
{Be|Keep it} {brief|short|concise}."""

SENTENCE = """
{Start|Begin} {with|your answer with|your reply with|the reply with} {"The answer is"|'The answer is'|The answer is}.
{Use|Write|Reply in|Follow} the {form|format|pattern} {"The answer is ..."|The answer is X|'The answer is'}.
{Answer|Reply|Respond} {in|with} {a full sentence|one sentence|a sentence|a complete sentence}.
{Finish|End} with "The answer is".
The answer is"""

FILLERS = """
You are {an expert|a helpful assistant|a careful assistant|a good student|a teacher|a patient teacher|an AI assistant|very smart|a professor|a friendly robot|a specialist}.
{Read|Look at} {the question|the input|everything|it} {carefully|closely|twice|with care}.
{This|It} is {important|easy|a simple one|a test|for school|important to me|for a friend|very important for my career}.
{Thank you|Thanks|Many thanks|Good luck|Hello|Hi|Hi there|Dear assistant|Okay|Right|Now|Well then|Good morning}.
{I need|I want|I would like} {your help|help|an answer|to know this|this quickly}.
{You can do it|You will do well|I trust you|I believe in you|Have fun|Pay attention|Concentrate|Focus}.
{The input is|Here is the input|Input|The data is|See the input} {above|below|given|in the message}.
{Use|Write} {plain text|simple language|English|lower case}.
{My|The} {teacher|boss|friend|sister|client} {asks|wants to know|needs this|is waiting}.
{The weather is nice|It is late|I am tired|The cat sleeps|Coffee is ready|Today is Monday}.
{Please|Kindly|Could you please|If you can}
{Do|Follow} {exactly what is asked|the instruction|the task below|the task above}."""

QUESTION_LABELS = (
    ("Q:", "A:"),
    ("Question:", "Answer:"),
    ("Input:", "Output:"),
    ("Text:", "Label:"),
    ("Problem:", "Solution:"),
)
