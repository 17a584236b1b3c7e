"""Replies to number questions in many languages and styles: (reply, target, score), by kind."""

from __future__ import annotations

Row = tuple[str, str, float]

SCRIPTS: list[Row] = [
    ("答案是12", "12", 1), ("所以一共有12个苹果。", "12", 1), ("答えは12です。", "12", 1), ("答案为12。", "12", 1),
    ("共需12元（含3元税）", "12", 1), ("所以，5天共走了12公里", "12", 1), ("答案：12", "12", 1), ("答案是：12。", "12", 1),
    ("最终答案是12元。", "12", 1), ("因此，答案是12。", "12", 1), ("一共12个", "12", 1), ("总共是12个苹果", "12", 1),
    ("3+9=12，所以小明有12个苹果", "12", 1), ("12个", "12", 1), ("共12。3天后吃完", "12.3", 0), ("价格是12，3折后", "12.3", 0),
    ("每天走3公里，4天一共走12公里。", "12", 1), ("小明有5个，小红有7个，他们一共有12个。", "12", 1), ("答案是１２。", "12", 1),
    ("所以她每天赚18美元。", "18", 1), ("因此，她还剩下7个。", "7", 1), ("答案是3.5小时。", "3.5", 1), ("答案是-12。", "-12", 1),
    ("答案是12%。", "12", 1), ("约为1,234人", "1234", 1), ("得到12。", "12", 1), ("x=12", "12", 1), ("结果为 12", "12", 1),
    ("我们先计算5+7，得到12。所以答案是12。", "12", 1), ("答案是12，不是13。", "12", 1), ("答案是13", "12", 0),
    ("答えは12個です", "12", 1), ("合計は12円になります。", "12", 1), ("したがって、答えは12です。", "12", 1), ("12個です。", "12", 1),
    ("答え：12", "12", 1), ("5日で合計12キロ歩きました。", "12", 1), ("正解は12本です。", "12", 1), ("よって12人。", "12", 1),
    ("정답은 12입니다.", "12", 1), ("답은 12개입니다.", "12", 1), ("따라서 12개의 사과가 남습니다.", "12", 1), ("총12개", "12", 1),
    ("그러므로 정답은 12입니다.", "12", 1), ("5일 동안 총 12킬로미터를 걸었습니다.", "12", 1), ("답: 12원", "12", 1),
    ("คำตอบคือ 12", "12", 1), ("คำตอบคือ12", "12", 1), ("ดังนั้นมีแอปเปิ้ลทั้งหมด12ลูก", "12", 1), ("เหลือ ๑๒ ลูก", "12", 1),
    ("ຄຳຕອບແມ່ນ12", "12", 1), ("စုစုပေါင်း ၁၂ ခု", "12", 1), ("ចម្លើយគឺ១២", "12", 1), ("उत्तर: १२", "12", 1), ("उत्तर 12 है।", "12", 1),
    ("इसलिए, कुल 12 सेब हैं।", "12", 1), ("उत्तर १२ है", "12", 1), ("১২টি আপেল", "12", 1), ("উত্তর: ১২", "12", 1),
    ("பதில்: 12", "12", 1), ("సమాధానం 12", "12", 1), ("الجواب هو ١٢", "12", 1), ("الإجابة هي ١٢٫٥", "12.5", 1),
    ("١٢٫٥", "12.5", 1), ("١٬٢٣٤", "1234", 1), ("الإجابة: ١٬٢٣٤٫٥", "1234.5", 1), ("إذن لديه 12 تفاحة.", "12", 1),
    ("الجواب: -١٢", "-12", 1), ("پاسخ ۱۲ است", "12", 1), ("پاسخ: ۱۲٫۵", "12.5", 1), ("۱٬۲۳۴ تومان", "1234", 1), ("٥٠٪", "50", 1),
    ("جواب: ۱۲", "12", 1), ("התשובה היא 12", "12", 1), ("יש 12 תפוחים.", "12", 1), ("התשובה: 12", "12", 1),
    ("La respuesta es 12.", "12", 1), ("La respuesta es 12,5", "12.5", 1), ("Por lo tanto, quedan 12 manzanas.", "12", 1),
    ("La réponse est 12.", "12", 1), ("Il reste donc 12 pommes.", "12", 1), ("La réponse est 1 234,5", "1234.5", 1),
    ("Die Antwort ist 12.", "12", 1), ("Also bleiben 12 Äpfel übrig.", "12", 1), ("Antwort: 1.234,50 €", "1234.5", 1),
    ("Die Antwort lautet 12.", "12", 1), ("A resposta é 12.", "12", 1), ("Portanto, restam 12 maçãs.", "12", 1),
    ("La risposta è 12.", "12", 1), ("Quindi rimangono 12 mele.", "12", 1), ("Ответ: 12", "12", 1), ("Ответ — 12.", "12", 1),
    ("Ответ: 12 яблок.", "12", 1), ("Итого осталось 12 яблок.", "12", 1), ("Відповідь: 12", "12", 1), ("Odpowiedź: 12", "12", 1),
    ("Cevap: 12", "12", 1), ("Cevap 12'dir.", "12", 1), ("Het antwoord is 12.", "12", 1), ("Svaret är 12.", "12", 1),
    ("Đáp án là 12.", "12", 1), ("Vậy còn lại 12 quả táo.", "12", 1), ("Jawabannya adalah 12.", "12", 1),
    ("Jibu ni 12.", "12", 1), ("Η απάντηση είναι 12.", "12", 1), ("Vastaus on 12.", "12", 1), ("Odpověď je 12.", "12", 1),
    ("A válasz 12.", "12", 1), ("Răspunsul este 12.", "12", 1), ("x12", "12", 0), ("α12", "12", 0), ("H2O", "2", 0),
    ("Т34", "34", 0), ("第3题的答案是12", "12", 1), ("步骤1：5+7=12", "12", 1), ("12, 3", "12.3", 0), ("2024年共有12个月", "12", 1),
]  # fmt: skip

STRUCTURED: list[Row] = [
    ('{"final_answer": 12, "confidence": 0.95}', "12", 1), ('{"result": 12, "unit": "km/h", "confidence": 90}', "12", 1),
    ('{"answer": 35, "reasoning": "At first the answer is 5 per day"}', "35", 1),
    ("{'answer': 12, 'confidence': 0.9}", "12", 1), ('{"finalAnswer": "12 apples", "steps": 3}', "12", 1),
    ('{"answer_value": 12, "n": 3}', "12", 1), ('{"confidence": 0.9, "total": 12, "explanation": "3 * 4"}', "12", 1),
    ('```json\n{"answer": 12, "confidence": 99}\n```', "12", 1), ('{"answer": [12, 13]}', "12", 0),
    ('```json\n{"final_answer": 12}\n```\n\nI used 3 steps.', "12", 1), ('{"answer": [12]}', "12", 1),
    ('Here is the result:\n{"final_answer": "$12", "steps": ["5 + 7"], "confidence": 0.8}', "12", 1),
    ('{"answer": {"value": 12, "unit": "km", "digits": 2}}', "12", 1), ('{"answer": null, "note": "12"}', "12", 0),
    ('{"answer": "12", "reasoning": "5 + 7 = 12, not 13"}', "13", 0), ("{'final_answer': '12', 'n_steps': 3}", "12", 1),
    ('{"reasoning": "5 a day for 7 days", "final_answer": "35"}', "35", 1), ("<result>12</result> in 3 steps", "12", 1),
    ("<final-answer>12</final-answer>", "12", 1), ("<finalanswer>12 km</finalanswer>", "12", 1),
    ("<reasoning>5 + 7</reasoning><output>12</output>", "12", 1), ("<answer>12", "12", 1),
    ("<solution>5 a day, 7 days: the answer is 35.</solution>", "35", 1), ("final_answer: 12\nconfidence: 95", "12", 1),
    ("**final_answer**: 12", "12", 1), ('{"answer": "1,234"}', "1234", 1), ('{"answer": 1.2e3}', "1200", 1),
    ('{"answer": "\\\\frac{3}{4}", "x": 5}', "0.75", 1), ('{"answer": "\\frac{3}{4}", "x": 5}', "0.75", 1),
    ('{"price": 3, "quantity": 4, "answer": 12}', "12", 1), ('{"answer": -12, "x": 3}', "-12", 1),
    ('{"steps": ["3 * 4 = 12", "12 + 2 = 14"], "answer": 14}', "14", 1), ('{"eggs": 12, "confidence": 0.9}', "12", 1),
    ('{"answer": "I cannot determine it from 3 facts"}', "3", 0), ('{"答案": 12, "步骤": 3}', "12", 1), ("[12]", "12", 1),
]  # fmt: skip

HIDDEN: list[Row] = [
    ("<|channel|>analysis<|message|>The answer is 9.<|end|><|start|>assistant<|channel|>final<|message|>12<|return|>", "12", 1),
    ("analysisThe answer is 9.assistantfinal12", "12", 1), ("[THINK]The answer is 9[/THINK]12", "12", 1),
    ("◁think▷The answer is 9◁/think▷So 12", "12", 1), ("<seed:think>9</seed:think>12", "12", 1), ("12<|im_end|>", "12", 1),
    ("12</s>", "12", 1), ("12<|eot_id|>13", "12", 1), ("#### 9\n\nProblem 2: Ann has 3 cats.\n#### 4", "9", 1),
    ("### Question\nAnn has 3 cats.\n#### 4", "4", 1), ("#### 9\n### Question\n…\n#### 4", "9", 1),
    ("#### 9\n\nAnn has 3 cats…\n#### 4", "9", 1), ("#### 9<|endoftext|>Q: …#### 4", "9", 1),
    ("The answer is 9.\n\nExample 2: … The answer is 4.", "9", 1), ("#### 9\n\nQuestion: …\n#### 4", "9", 1),
    ("#### 9\n\nProblem: …\n3 + 1 = 4\n#### 4", "9", 1), ("The answer is 9.\n\nProblem 2: 2 + 2\nThe answer is 4.", "9", 1),
    ("5 + 4 = 9\n#### 9\n\n## Exercise 2\n2 + 2 = 4\n#### 4", "9", 1), ("9<end_of_turn>\n<start_of_turn>user\n4", "9", 1),
    ("The answer is 9.\nuser\nWhat is 2 + 2?\nassistant\n4", "9", 1), ("#### 9\nWait, I was wrong.\n#### 4", "4", 1),
]  # fmt: skip

REMARKS: list[Row] = [
    ("She makes $18.\n\nNote: assumes a 7-day week.", "18", 1), ("So she has 12 apples left. Confidence: 95%", "12", 1),
    ("She makes **$18** a day.\n\nLet me know if you need the 7-day total!", "18", 1), ("12 (60%)", "12", 1),
    ("The price drops to $12 (20% off).", "12", 1), ("She makes $18.\n\nReferences:\n[1] Smith 2020", "18", 1),
    ("There are 12 apples left.\n\n**Verification:** 12 + 8 = 20 ✓", "12", 1),
    ("There are 12 apples left.\n\nWould you like 2 more examples?", "12", 1),
    ("There are 12 apples left. Would you like 2 more examples?", "12", 1),
    ("She makes $18. (Assuming a 7-day week.)", "18", 1), ("She makes $18 (for a 7-day week).", "18", 1),
    ("She makes $18.\n\n*Note: a week has 7 days.*", "18", 1), ("She makes $18.\n\nConfidence: 95%", "18", 1),
    ("She makes $18.\n\n**Confidence level:** 9/10", "18", 1), ("She makes $18.\n\nSource: Smith (2020)", "18", 1),
    ("So, 12 apples.\n\nCheck: 12 + 8 = 20.", "12", 1), ("12 apples.\nCheck: 20 - 8 = 12, and 12 + 8 = 20", "12", 1),
    ("She makes $18.\n\nI can also show 3 other ways to solve it.", "18", 1),
    ("She makes $18.\n\nTip: always divide by 7 first.", "18", 1), ("12 [1]", "12", 1), ("12 apples [2].", "12", 1),
    ("She makes $18.\n\nFeel free to ask for the 30-day total.", "18", 1), ("12 (twelve), I am 95% sure", "12", 1),
    ("I am 95% confident that she has 12 apples.", "12", 1), ("There are 12 apples left, I'm 90% sure.", "12", 1),
    ("The total comes to 12 (see Table 3).", "12", 1), ("So she needs 12 eggs (rounded up from 11.5).", "12", 1),
    ("So it takes 12 days (about 2 weeks).", "12", 1), ("He earns $12 (3 hours × $4).", "12", 1),
    ("He earns $12 (3 × 4).", "12", 1), ("This gives 12 apples (3 per child).", "12", 1), ("~12 (±1)", "12", 1),
    ("She makes $18.\n\nP.S. This took 3 steps.", "18", 1), ("She makes $18.\n\nDisclaimer: prices of 2020.", "18", 1),
    ("She makes $18.\n\nTo verify: 9 * 2 = 18.", "18", 1), ("She makes $18.\n\nWe can verify this: 16 - 7 = 9.", "18", 1),
    ("She makes $18.\n\nLet's verify: 16 - 7 = 9 and 9 * 2 = 18. Correct!", "18", 1),
    ("She makes $18.\n\nAssumptions:\n- 7 days a week\n- 2 eggs a day", "18", 1),
    ("She makes $18.\n\n---\n*Solved in 3 steps.*", "18", 1), ("Step 1: 3 × 4 = 12\n\nNote: 7 is not used.", "12", 1),
    ("Note: a week has 7 days. So she makes $18.", "18", 1), ("Check: 12 + 8 = 20. So she has 20 apples.", "20", 1),
    ("Note that 5 + 7 = 12.", "12", 1), ("Confidence: 95%", "95", 1), ("(12)", "12", 1), ("The total is (3 + 4) = 7.", "7", 1),
    ("所以她每天赚18美元。\n\n注：一周有7天。", "18", 1), ("答案是12。（共3步）", "12", 1), ("12个苹果（占60%）", "12", 1),
    ("Quedan 12 manzanas.\n\nNota: una semana tiene 7 días.", "12", 1), ("Il reste 12 pommes (60 %).", "12", 1),
    ("Es bleiben 12 Äpfel.\n\nHinweis: Eine Woche hat 7 Tage.", "12", 1),
]  # fmt: skip

RESTATED: list[Row] = [
    ("There are 3 dozen eggs, i.e. 36 eggs.", "36", 1), ("It is 2 hours, or 120 minutes.", "120", 1),
    ("That equals 3 weeks, namely 21 days.", "21", 1), ("12 of 20 remain.", "12", 1), ("12 out of 20 apples are left.", "12", 1),
    ("He ate 12 apples in 3 days.", "12", 1), ("That is 2 hours, that is, 120 minutes.", "120", 1),
    ("It takes 2 hours, i.e., 120 minutes.", "120", 1), ("It is 1 hour and 20 minutes, which is 80 minutes in total.", "80", 1),
    ("That's 2 hours (or 120 minutes).", "120", 1), ("It takes 2 hours, equivalently 120 minutes.", "120", 1),
    ("She has 2 dozen, in other words 24 eggs.", "24", 1), ("12 out of the 20 apples are red.", "12", 1),
    ("So 12 of the 20 students passed.", "12", 1), ("12 in 20 pass.", "12", 1), ("She sold 12 of her 20 apples.", "12", 1),
    ("She walks 12 km in 3 hours.", "12", 1), ("He earns $12 per 3 hours.", "12", 1), ("They ate 12 cakes over 4 days.", "12", 1),
    ("He read 12 pages within 3 days.", "12", 1), ("She saves $12 every 2 weeks.", "12", 1), ("In 3 days he ate 12 apples.", "12", 1),
    ("He needs 12 eggs for 3 cakes.", "12", 1), ("There are 12 eggs in 2 boxes.", "12", 1), ("2 out of 3 is the answer", "2", 1),
    ("9 out of 12 equals 3/4", "0.75", 1), ("It takes 2.5 hours, i.e. 2 hours and 30 minutes.", "2.5", 1),
    ("That's 1.5 km, or 1500 m.", "1500", 1), ("5 or 6", "6", 0),
    ("He is 5 feet, or 60 inches, tall.", "60", 1), ("There are 5 or 6 apples.", "6", 0), ("It's 5, or maybe 6.", "6", 0),
    ("5天共走12公里", "12", 1), ("20个中有12个", "12", 1), ("共有3打，即36个鸡蛋。", "36", 1), ("2小时，也就是120分钟。", "120", 1),
]  # fmt: skip

AMOUNTS: list[Row] = [
    ("33.33%", "1/3", 1), ("33.3%", "1/3", 1), ("66.67%", "2/3", 1), ("14.29%", "1/7", 1), ("0.3333", "1/3", 1), ("12.5%", "1/8", 1),
    ("33%", "1/3", 1), ("16.67%", "1/6", 1), ("34%", "1/3", 0), ("33.34%", "1/3", 0), ("30%", "1/3", 0), ("66.6%", "2/3", 0),
    ("1/7", "0.142857", 1), ("1/7", "0.1429", 1), ("1/3", "0.33333", 1), ("2/3", "0.666667", 1), ("1/3", "0.333334", 0),
    ("1/3", "33.33%", 1), ("2/3", "66.67%", 1), ("1/3", "33.3%", 1), ("0.3333", "33.33%", 1), ("1/7", "0.14", 1), ("1/3", "0.3", 0),
    ("22/7", "3.142857", 1), ("\\frac{1}{3}", "0.33333", 1), ("0.6667", "66.67%", 1), ("50%", "1/2", 1), ("3/4", "75%", 1),
    ("$1.2B", "1200000000", 1), ("$3M", "3000000", 1), ("2M", "2000000", 1), ("5k", "5000", 1), ("1.5 million", "1500000", 1),
    ("$2.5bn", "2500000000", 1), ("3 mn", "3000000", 1), ("€4m", "4000000", 1), ("$1.2 B", "1200000000", 1),
    ("5 m", "5", 1), ("5m", "5", 1), ("5 B", "5", 1), ("The pool is 3m deep.", "3", 1), ("Answer: 12B", "12000000000", 1),
    ("US$3.5M", "3500000", 1), ("2.5 lakh", "250000", 1), ("3 crore", "30000000", 1), ("3万", "30000", 1), ("1.2亿", "120000000", 1),
    ("5千", "5000", 1), ("答案是3万元", "30000", 1), ("3만 원", "30000", 1), ("2 millones", "2000000", 1), ("3 Millionen", "3000000", 1),
    ("1,5 Milliarden", "1500000000", 1), ("12 mil", "12000", 1), ("5 тысяч", "5000", 1), ("2 млн", "2000000", 1), ("3 млрд", "3000000000", 1),
    ("25 percent", "0.25", 1), ("75%", "0.75", 1), ("25 por ciento", "0.25", 1), ("25 Prozent", "0.25", 1), ("25 pour cent", "0.25", 1),
    ("百分之25", "0.25", 0), ("3½", "3.5", 1), ("2⅔", "2.67", 1), ("1'234'567", "1234567", 1), ("1.234,50 Euro", "1234.5", 1),
    ("₹1,50,000", "150000", 1), ("3 × 10^8 m/s", "300000000", 1), ("−5", "-5", 1), ("12.500", "12.5", 1), ("12,500", "12500", 1),
    ("⅚", "5/6", 1), ("¾ cup", "0.75", 1), ("\\(\\frac{2}{3}\\)", "0.67", 1), ("5²", "25", 0), ("3 hundred", "300", 1),
]  # fmt: skip

FIRST_IMPRESSIONS: list[Row] = [
    ("At first the answer is 10, but it's actually 12.", "12", 1), ("The obvious answer is 10. In fact it is 12.", "12", 1),
    ("One might think the answer is 10, but the correct answer is 12.", "12", 1),
    ("At first glance the answer is 10. However, it is 12.", "12", 1), ("My first guess was 10. On reflection: 12.", "12", 1),
    ("Intuitively the answer is 10 cents, but actually it is 5 cents.", "5", 1),
    ("The intuitive answer is 10. But that is wrong: it is 5.", "5", 1), ("You may say 10. The right answer is 5.", "5", 1),
    ("The answer is 12. At first I thought it was 10.", "12", 1), ("It looks like 10, but it is 12.", "12", 1),
    ("A common mistake is to say the answer is 10. It is 12.", "12", 1), ("It's not 12, it's 15.", "15", 1),
    ("The answer is 12. Wait, I forgot 3. So the answer is 15.", "15", 1), ("乍一看答案是10，其实是12。", "12", 1),
    ("At first there are 10 apples, but after eating 3 there are 7.", "7", 1),
]  # fmt: skip

REFUSALS: list[Row] = [
    ("I cannot determine the answer from the 3 facts given.", "3", 0), ("I can't answer this; only 3 facts are given.", "3", 0),
    ("There is not enough information: 3 facts are missing.", "3", 0), ("I'm sorry, but I can't help with 3.", "3", 0),
    ("It is impossible to determine the answer with 3 facts.", "3", 0), ("I don't know, there are 3 options.", "3", 0),
    ("The answer cannot be determined from the 3 facts.", "3", 0), ("I am unable to solve this in 3 steps.", "3", 0),
    ("Insufficient information is given about the 3 boxes.", "3", 0), ("无法确定，只有3个条件。", "3", 0),
    ("I cannot be sure, but the answer is 3.", "3", 1), ("I don't know exactly, but it should be 3.", "3", 1),
    ("She can't carry all, so she needs 3 trips.", "3", 1), ("He cannot eat more than 3.", "3", 1),
    ("At first it seems we cannot determine it. But x + 1 = 4, so x = 3.", "3", 1), ("I don't know. Maybe 3.", "3", 1),
    ("I'm sorry for the confusion. The answer is 3.", "3", 1), ("I'm sorry, I can't help", "3", 0), ("Unknown", "0", 0),
]  # fmt: skip

CONTROLS: list[Row] = [
    ("**Final Answer: 18**", "18", 1), ("$$\\boxed{\\$18}$$", "18", 1), ("\\boxed{\\frac{3}{4}}", "0.75", 1), ("10-12", "12", 0),
    ("(5)", "-5", 0), ("The answer is $29.00.", "29", 1), ("There are 72 clips, altogether.", "72", 1), ("#### -3", "-3", 1),
    ("\\boxed{\\text{The answer is 460}}", "460", 1), ("94106 or 94107", "94106", 0), ("C. 12", "12", 1), ("(C) 12", "12", 1),
    ("| item | price |\n|---|---|\n| total | **$18** |", "18", 1), ("The answer is 12. Wait, 3 more. So the answer is 15.", "15", 1),
    ("I need 5 eggs and 3 apples, for a total of 8.", "8", 1), ("He has 3 apples. He buys 4. Now he has 7.", "7", 1),
    ("3 + 4 is 7", "7", 1), ("So he has 7 of them.", "7", 1), ("He gave 3 of them away and has 7 left.", "7", 1),
    ("There are 20 apples and 8 are eaten, so 12 of them are left.", "12", 1), ("Half of 24 is 12.", "12", 1),
    ("20% of 60 is 12", "12", 1), ("The discount is 20% of $60, which is $12.", "12", 1), ("5 out of 8 is 62.5%.", "62.5", 1),
    ("The ratio 3 of 4 gives 0.75.", "0.75", 1), ("Take 2 of the 3 boxes: 2 * 6 = 12 (6 each).", "12", 1),
    ("She has 12 (5 red and 7 blue) marbles.", "12", 1), ("In the end (after 3 days), she has 12.", "12", 1),
    ("The total (12)", "12", 1), ("Total cost: $12 ($3 each)", "12", 1), ("It costs $12, or $3 each.", "12", 1),
    ("In 2020 she was 12.", "12", 1), ("Speed = 60 km / 5 h = 12 km/h", "12", 1), ("It increased by 20% to 12.", "12", 1),
    ("The answer is 5 m.", "5", 1), ("He walked 5 m", "5", 1), ("It's $12 — 20% less than $15.", "12", 1),
]  # fmt: skip

TWO_NUMBERS = [
    "about 7 or 8", "5 apples and 3 pears", "between 3 and 5", "7, 8", "3 and 4", "7-8", "3 to 4", "x = 3, y = 4", "7 8",
    "1) 5 2) 6", "$5 and $6", "12 km in 3 hours",
]  # fmt: skip
ONE_NUMBER = [
    ("#### 18", "18"), ("18 dollars", "18"), ("3 + 4 = 7\n#### 7", "7"), ("1 1/2", "1.5"), ("The answer is 12.", "12"), ("12 (twelve)", "12"),
    ("1,234", "1234"), ("1 234", "1234"), ("3 × 10^8", "300000000"), ("12 m^2", "12"), ("x = 5", "5"), ("5 + 7 = 12", "12"),
    ("twelve", "12"), ("5 5", "5"), ("5 (5)", "5"), ("½", "0.5"), ("Natalia sold 48/2 = <<48/2=24>>24 clips.\n#### 24", "24"),
    ("7 out of 10", "7"), ("\\boxed{5}", "5"), ("5%", "5"), ("50% (0.5)", "50%"), ("-3", "-3"),
]  # fmt: skip

CASES = [
    *SCRIPTS, *STRUCTURED, *HIDDEN, *REMARKS, *RESTATED, *AMOUNTS, *FIRST_IMPRESSIONS, *REFUSALS, *CONTROLS,
]  # fmt: skip
