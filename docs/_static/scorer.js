/* The search ranks pages that a person wrote above the reference: a module by the name of a common
   word, such as checkpoint, lies below pages that have the word; a class or function by its name
   lies above them. */
var Scorer = {
  score: (result) => {
    const [docname, , anchor, , score] = result;
    if (/(^|\/)generated\//.test(docname)) {
      if (String(anchor).startsWith("#module-")) return score - 16;
      return score >= 16 ? score : score - 12; // 16: its own name, objNameMatch + objPrio[1]
    }
    if (docname === "reference/words") return score + 4;
    if (docname.startsWith("reference/")) return score - 6;
    return /^(howto|tutorials|faq)/.test(docname) ? score + 6 : score;
  },
  objNameMatch: 11, objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 }, objPrioDefault: 0,
  title: 15, partialTitle: 7, term: 5, partialTerm: 2,
};
