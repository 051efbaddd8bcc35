import { createRoot } from 'react-dom/client'

import '../shared/base.css'
import { Operator } from './operator.js'
import './operator.css'

createRoot(document.getElementById('root')!).render(<Operator userId={new URLSearchParams(location.search).get('user')} />)
